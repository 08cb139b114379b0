/**
 * Who does a step: a strategy chosen from a list, written as `zeebe:assignmentDefinition`. What is there is read back into
 * its strategy; what no strategy explains is shown as the expression it is.
 */
import { words } from '../words.js';
import TERMS from './assignment_terms.json';
import { choiceEntry, feelEntry, flagEntry, textEntry } from './entries.js';
import { carrier, Changes, extension, propertiesOf } from './properties.js';

const PART = { assignee: undefined, candidateGroups: undefined, candidateUsers: undefined };
const NAME = '[A-Za-z_\\u4e00-\\u9fff][\\w\\u4e00-\\u9fff.]*';
const CODE = '[\\w-]+';
const ASKED = { role: CODE, section: CODE, person: CODE, step: '[^"]+', field: NAME };
/** Texts of any kind: several groups are plain text with a comma, the last three take what no other explains. */
const FREE = { groups: '[^=].*,.*' };

const filled = (text, answers) => text.replace(/\$(\w+)/g, (_, name) => answers[name] ?? '');

/** What recognises a text written by the pattern: spaces around + and the brackets of a list do not matter. */
function recognised({ id, write }) {
  const plain = write.replace(/^=\[(.*)\]$/, '=$1');
  const pattern = plain
    .replace(/[.*+?^{}()|[\]\\]/g, '\\$&')
    .replace(/ \\\+ /g, ' ?\\+ ?')
    .replace(/\$(\w+)/g, (_, name) => `(?<${name}>${ASKED[name] ?? FREE[id] ?? '[\\s\\S]+'})`);
  const list = plain.includes('"');
  return new RegExp(pattern.startsWith('=') ? `^=\\s*${list ? '\\[?' : ''}${pattern.slice(1)}${list ? '\\]?' : ''}$` : `^${pattern}$`);
}

/**
 * One way to name the people: how it is written, how it is recognised, and what it asks for (`assignment_terms.json`).
 * `asks`: `[key, list of the book or 'fields'/'steps', label]`.
 */
export const STRATEGIES = TERMS.strategies.map((each) => ({
  ...each,
  write: (answers) => ({ [each.in]: filled(each.write, answers) || (each.asks[0]?.[1] === 'feel' ? '=' : '') }),
  read: { in: each.in, as: recognised(each) },
}));

/** Strategy and its answers, or null when nobody is named. */
export function readAssignment(bo) {
  const given = extension(bo, 'zeebe:AssignmentDefinition');
  for (const strategy of STRATEGIES) {
    const match = strategy.read.as.exec((given?.[strategy.read.in] ?? '').trim());
    if (match) {
      return { strategy, answers: { ...match.groups } };
    }
  }
  return null;
}

/** Elements that somebody handles, for “earlier step”. */
export function steps(get, element) {
  return get('elementRegistry')
    .filter((each) => each.type === 'bpmn:UserTask' && each !== element && !each.labelTarget)
    .map((each) => ({ id: each.businessObject.id, label: each.businessObject.name || each.businessObject.id }));
}

/** Answers of forms, and what mappings and calls bring, without the functions. */
export function fields(scope, bo) {
  return scope.at(bo).filter((each) => each.type !== 'function').map((each) => ({ id: each.name, label: each.info ? `${each.name} · ${each.info}` : each.name }));
}

function listOf(from, { get, book, scope }, element) {
  if (from === 'steps') {
    return steps(get, element);
  }
  return from === 'fields' ? fields(scope, carrier(element)) : book.list(from);
}

/** What is chosen from each list. */
const ABOUT = {
  roles: 'Everybody who holds it may take the step; the first who takes it does it.',
  sections: 'A section, county or agency of the organisation.',
  people: 'Only this person. Better a role: people change their posts.',
  steps: 'A step of this drawing that comes before.',
  fields: 'A field of a form, or a value that an earlier step gave.',
};

const first = (list) => list[0]?.id ?? '';

/** Changes of the assignment, for whoever combines them with others. */
export function assign(changes, part) {
  return changes.extension('zeebe:AssignmentDefinition', part ? { ...PART, ...part } : null);
}

export function assignmentEntries(element, tools) {
  const bo = carrier(element);
  const now = readAssignment(bo);
  const write = (strategy, answers) => assign(new Changes(tools.get, element), strategy && strategy.write(answers)).apply();
  const choose = (id) => {
    const strategy = STRATEGIES.find((each) => each.id === id);
    if (!strategy) {
      write(null);
      return;
    }
    const kept = now?.answers ?? {};
    const raw = extension(bo, 'zeebe:AssignmentDefinition')?.[strategy.read.in] ?? '';
    const answers = Object.fromEntries(
      strategy.asks.map(([key, from]) => {
        if (from === 'text' || from === 'feel') {
          return [key, from === 'feel' ? (raw.startsWith('=') ? raw : '=') : raw.startsWith('=') || !raw ? `${first(tools.book.list('roles'))}, ${tools.book.list('roles')[1]?.id ?? ''}` : `${raw}, `];
        }
        return [key, kept[key] ?? first(listOf(from, tools, element))];
      }),
    );
    write(strategy, answers);
  };
  const entries = [
    choiceEntry({
      id: 'banjie-assign',
      label: words('Who does it'),
      help: words('Chosen from the organisation of the office. Who comes and goes is changed there, not here.'),
      options: () => STRATEGIES.map((each) => ({ id: each.id, label: words(each.label) })),
      get: () => readAssignment(bo)?.strategy.id ?? '',
      set: choose,
      none: words('(nobody yet)'),
    }),
  ];
  for (const [key, from, label] of now?.strategy.asks ?? []) {
    const id = `banjie-assign-${key}`;
    const get = () => readAssignment(bo)?.answers[key] ?? '';
    const set = (value) => write(now.strategy, { ...now.answers, [key]: value ?? '' });
    if (from === 'text') {
      entries.push(textEntry({ id, label: words(label), help: words('Roles and sections by their codes, for example: office, section_chief@office'), get, set }));
    } else if (from === 'feel') {
      entries.push(feelEntry({ id, label: words(label), help: words('Must give a login, or a list of logins or groups.'), feel: 'required', get, set, variables: () => tools.scope.at(bo) }));
    } else {
      entries.push(choiceEntry({ id, label: words(label), help: words(ABOUT[from]), options: () => listOf(from, tools, element), get, set: (value) => value && set(value), none: words('(choose)') }));
    }
  }
  return [...entries, deputyEntry(bo, element, tools), ...excludeEntries(element, tools)];
}

// -- deputies --------------------------------------------------------------------------------------------------------------

/** What the step asks of who stands in during leave; the engine obeys it (`engine/organisation/eligibility.py`). */
function deputyEntry(bo, element, tools) {
  return choiceEntry({
    id: 'banjie-deputy',
    label: words('Deputies during leave'),
    help: words('Who stands in for whom, and when, the office enters under “People”. Here a step can ask for the person, or for a certain deputy.'),
    options: () => TERMS.deputies.map((each) => ({ id: each.id, label: words(each.label) })),
    get: () => propertiesOf(bo).deputy ?? '',
    set: (rule) => new Changes(tools.get, element).properties({ deputy: rule }).apply(),
    none: words('As the office has entered them (usual)'),
  });
}

// -- who must keep away --------------------------------------------------------------------------------------------------

/**
 * A list put together from parts of several kinds (`terms`): how it is read, as `[{kind, value}]` or null for any other expression,
 * and how it is written. An older list was written without `flatten`, and is read as well.
 */
export function parted(terms, kinds) {
  const list = new RegExp(`^=\\s*(?:flatten\\()?\\[(?<list>.*)\\]\\)?\\[item != null\\]$`);
  const value = { step: '[^"]+', group: '[^"]+', field: NAME };
  const patterns = kinds.map((kind) => [kind, new RegExp(`^${terms[kind].replace(/[.*+?^{}()|[\]\\]/g, '\\$&').replace(/\$(\w+)/g, (_, name) => `(?<value>${value[name]})`)}$`)]);
  const readPart = (part) => {
    const [kind, pattern] = patterns.find(([, each]) => each.test(part)) ?? [];
    return kind ? { kind, value: pattern.exec(part).groups?.value ?? '' } : null;
  };
  return {
    read(text) {
      const found = text ? list.exec(text.trim())?.groups.list.split(/\s*,\s*/).filter(Boolean).map(readPart) : [];
      return found && !found.includes(null) ? found : null;
    },
    write: (parts) => (parts.length ? filled(terms.list, { parts: parts.map(({ kind, value: chosen }) => filled(terms[kind], { step: chosen, group: chosen, field: chosen })).join(', ') }) : ''),
  };
}

export const { read: readExclude, write: writeExclude } = parted(TERMS.exclude, ['starter', 'handler', 'section', 'people']);

/** Who must keep away: several steps, sections and fields can be named; a new line is offered below the last. */
const ASKS = [
  ['handler', 'Not who handled', 'Who did that step before cannot do this one too.'],
  ['people', 'Not the people named in', 'A field of a form with a person or a list of people.'],
  ['section', 'Not the section named in', 'Keeps everybody away whom the case is about.'],
];

function excludeEntries(element, tools) {
  const bo = carrier(element);
  const text = propertiesOf(bo).exclude;
  const set = (next) => new Changes(tools.get, element).properties({ exclude: next }).apply();
  const parts = readExclude(text);
  if (parts === null) {
    return [feelEntry({ id: 'banjie-exclude', label: words('Who must keep away'), help: words('A list of people or groups.'), feel: 'required', get: () => propertiesOf(bo).exclude, set, variables: () => tools.scope.at(bo) })];
  }
  const has = parts.some((each) => each.kind === 'starter');
  const entries = [
    flagEntry({
      id: 'banjie-exclude-starter',
      label: words('Not who registered the case'),
      help: words('Nobody decides on their own matter.'),
      get: () => has,
      set: (on) => set(writeExclude([...parts.filter((each) => each.kind !== 'starter'), ...(on ? [{ kind: 'starter', value: '' }] : [])])),
    }),
  ];
  for (const [kind, label, help] of ASKS) {
    const own = parts.filter((each) => each.kind === kind);
    const options = () => (kind === 'handler' ? steps(tools.get, element) : fields(tools.scope, bo).filter((each) => each.id !== 'starter'));
    for (const [index, part] of [...own, null].entries()) {
      entries.push(
        choiceEntry({
          id: `banjie-exclude-${kind}${index ? `-${index}` : ''}`,
          label: part === null && own.length ? words('… and') : words(label),
          help: help && !index ? words(help) : undefined,
          options,
          get: () => part?.value ?? '',
          set: (value) => set(writeExclude(part ? parts.flatMap((each) => (each === part ? (value ? [{ kind, value }] : []) : [each])) : value ? [...parts, { kind, value }] : parts)),
        }),
      );
    }
  }
  return entries;
}
