/**
 * The buttons of a user task. Four attributes say it in the model (`outcomes`, `.opinion`, `.confirm`, `.unchecked`); here
 * each button is one line, and a change writes all four together.
 */
import { words } from '../words.js';
import { flagEntry, textEntry } from './entries.js';
import { carrier, Changes, propertiesOf } from './properties.js';

/** `;` and `=` divide the list in the model; a label cannot contain them. */
const plain = (text) => (text ?? '').replace(/[;=]/g, '');

const pairs = (text) =>
  (text ?? '').split(';').map((part) => part.trim()).filter(Boolean).map((part) => {
    const [value, ...label] = part.split('=');
    return [value.trim(), label.join('=').trim() || value.trim()];
  });
const names = (text) => (text ?? '').split(',').map((each) => each.trim()).filter(Boolean);

/** `[{value, label, opinion, confirm, unchecked}]` */
export function readOutcomes(properties) {
  const opinions = names(properties['outcomes.opinion']);
  const confirms = Object.fromEntries(pairs(properties['outcomes.confirm']));
  const unchecked = names(properties['outcomes.unchecked']);
  return pairs(properties.outcomes).map(([value, label]) => ({
    value,
    label,
    opinion: opinions.includes('*') || opinions.includes(value),
    confirm: confirms[value] ?? '',
    unchecked: unchecked.includes(value),
  }));
}

/** The four attributes; empty ones are removed. */
export function writeOutcomes(list) {
  const opinion = list.filter((each) => each.opinion).map((each) => each.value);
  return {
    outcomes: list.map((each) => `${each.value}=${each.label}`).join(';'),
    'outcomes.opinion': list.length && opinion.length === list.length ? '*' : opinion.join(','),
    'outcomes.confirm': list.filter((each) => each.confirm).map((each) => `${each.value}=${each.confirm}`).join(';'),
    'outcomes.unchecked': list.filter((each) => each.unchecked).map((each) => each.value).join(','),
  };
}

/** What an office most often needs; the next one that is not there yet is offered by “+”. */
export const USUAL = [
  { value: 'approve', label: 'Agree' },
  { value: 'return', label: 'Return', opinion: true, unchecked: true },
  { value: 'reject', label: 'Disagree', opinion: true },
  { value: 'supplement', label: 'Ask for corrections', opinion: true },
];

function nextOutcome(list) {
  const usual = USUAL.find((each) => !list.some((known) => known.value === each.value));
  if (usual) {
    return { confirm: '', opinion: false, unchecked: false, ...usual, label: words(usual.label) };
  }
  let number = list.length + 1;
  while (list.some((each) => each.value === `choice${number}`)) {
    number += 1;
  }
  return { value: `choice${number}`, label: words('Button {number}', { number }), opinion: false, confirm: '', unchecked: false };
}

/** `follow(element, tools, list, [before, after])` writes the buttons where more than they depends on them, and tells whether it did. */
export function outcomesGroup(element, tools, follow = () => false) {
  const bo = carrier(element);
  const list = () => readOutcomes(propertiesOf(bo));
  const write = (next, renamed) => follow(element, tools, next, renamed) || new Changes(tools.get, element).properties(writeOutcomes(next)).apply();
  const change = (index, part) => {
    const before = list();
    const renamed = part.value !== undefined && part.value !== before[index].value ? [before[index].value, part.value] : null;
    write(before.map((each, at) => (at === index ? { ...each, ...part } : each)), renamed);
  };
  const items = list().map((outcome, index) => {
    const id = `banjie-outcome-${index}`;
    const valid = (text) => {
      if (!/^[A-Za-z_][\w-]*$/.test(text ?? '')) {
        return words('Letters, digits and _ only; it begins with a letter.');
      }
      return list().some((each, at) => at !== index && each.value === text) ? words('Another button has this value already.') : undefined;
    };
    return {
      id,
      label: `${outcome.label}${outcome.opinion ? ` · ${words('opinion')}` : ''}`,
      entries: [
        textEntry({ id: `${id}-label`, label: words('Text on the button'), help: words('What the person reads on it: a verb, two to four characters.'), get: () => list()[index]?.label, set: (text) => change(index, { label: plain(text) || outcome.value }) }),
        textEntry({ id: `${id}-value`, label: words('Value for conditions'), help: words('What the flows after this step ask for.'), validate: valid, get: () => list()[index]?.value, set: (text) => text && change(index, { value: text }) }),
        flagEntry({ id: `${id}-opinion`, label: words('An opinion must be written'), help: words('Without one the button does nothing.'), get: () => list()[index]?.opinion, set: (on) => change(index, { opinion: on }) }),
        flagEntry({ id: `${id}-unchecked`, label: words('The form need not be complete (as when returning)'), help: words('What was filled in is then not kept either.'), get: () => list()[index]?.unchecked, set: (on) => change(index, { unchecked: on }) }),
        textEntry({ id: `${id}-confirm`, label: words('Question before it is done'), help: words('For what cannot be taken back: name the consequence. Empty: no question.'), get: () => list()[index]?.confirm, set: (text) => change(index, { confirm: plain(text) }) }),
      ],
      autoFocusEntry: `${id}-label`,
      remove: (event) => {
        event.stopPropagation();
        write(list().filter((_, at) => at !== index));
      },
    };
  });
  return {
    items,
    add: (event) => {
      event.stopPropagation();
      const now = list();
      write([...now, nextOutcome(now)]);
    },
  };
}
