/**
 * Who is told when a step begins: groups, who registered the case, who handled a step, people named in a form, as many as needed. Groups alone are
 * written as a plain list; anything else as one expression that leaves out what is empty.
 */
import { words } from '../words.js';
import { fields, parted, steps } from './assignment.js';
import TERMS from './assignment_terms.json';
import { choiceEntry, feelEntry } from './entries.js';
import { carrier, Changes, propertiesOf } from './properties.js';

const { read: readParts, write: writeParts } = parted(TERMS.tell, ['group', 'starter', 'handler', 'people']);
const GROUPS_ONLY = /^[\w@:-]+(\s*,\s*[\w@:-]+)*$/;

/** `[{kind, value}]`, or null for an expression that was not put together here. */
export function readTold(text) {
  const plain = (text ?? '').trim();
  return GROUPS_ONLY.test(plain) ? plain.split(/\s*,\s*/).map((value) => ({ kind: 'group', value })) : readParts(plain);
}

export const writeTold = (parts) => (parts.every((each) => each.kind === 'group') ? parts.map((each) => each.value).join(', ') : writeParts(parts));

/** One value of the select for each kind: `kind|value`. */
const slot = ({ kind, value }) => `${kind}|${value}`;
const unslot = (text) => ({ kind: text.slice(0, text.indexOf('|')), value: text.slice(text.indexOf('|') + 1) });

export function tellingEntries(field, element, tools) {
  const bo = carrier(element);
  const text = propertiesOf(bo)[field.name];
  const set = (next) => new Changes(tools.get, element).properties({ [field.name]: next }).apply();
  const parts = readTold(text);
  const id = `banjie-${field.name}`;
  if (parts === null) {
    return [feelEntry({ id, label: words(field.label), help: words('A list of people or groups.'), feel: 'required', get: () => propertiesOf(bo)[field.name], set, variables: () => tools.scope.at(bo) })];
  }
  const options = () => [
    { id: 'starter|', label: words('Who registered the case') },
    ...tools.book.list('groups').map((each) => ({ id: slot({ kind: 'group', value: each.id }), label: each.label })),
    ...steps(tools.get, element).map((each) => ({ id: slot({ kind: 'handler', value: each.id }), label: words('Who handled “{step}”', { step: each.label }) })),
    ...fields(tools.scope, bo).filter((each) => each.id !== 'starter').map((each) => ({ id: slot({ kind: 'people', value: each.id }), label: words('From the form: {field}', { field: each.label }) })),
  ];
  return [...parts, null].map((part, index) =>
    choiceEntry({
      id: `${id}${index ? `-${index}` : ''}`,
      label: part === null && index ? words('… and') : words(field.label),
      help: index ? undefined : words(field.help),
      options,
      get: () => (part ? slot(part) : ''),
      set: (chosen) => set(writeTold([...parts.slice(0, index), ...(chosen ? [unslot(chosen)] : []), ...parts.slice(index + 1)])),
    }),
  );
}
