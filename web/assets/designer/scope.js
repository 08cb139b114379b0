/**
 * The variables and functions that an expression at an element can use: what every case has, answers of the forms, results of
 * steps, decisions and calls, mappings, the item of a multi-instance. The FEEL editors complete them.
 */
import { getBusinessObject } from 'bpmn-js/lib/util/ModelUtil.js';

import { parameters } from './feel_builtins.js';
import { words } from './words.js';
import { extension, propertiesOf } from './panel/properties.js';

/** Functions of our own beside FEEL's (processes/README.md); parameters in the order in which they are given. */
export const FUNCTIONS = [
  ['due', ['rule', 'start'], 'When the limit of the rule ends, counted from the start'],
  ['overdue', ['rule', 'start'], 'The first moment that is over the limit'],
  ['add workdays', ['date', 'days'], 'The n-th working day after the date'],
  ['workdays between', ['from', 'to'], 'Working days after the first date up to the second'],
  ['is workday', ['date'], 'Whether the office works on that day'],
  ['next workday', ['date'], 'The day itself or the next working day'],
  ['previous workday', ['date'], 'The day itself or the last working day before'],
  ['extendable', ['rule'], 'Whether the limit can still be extended'],
  ['handler', ['element'], 'Who last handled that step'],
  ['people', ['group'], 'Logins of the people in a group'],
  ['name of', ['person'], 'Name of a person'],
  ['section of', ['person'], 'Section of a person'],
  ['now', [], 'The time of the office'],
  ['today', [], 'The day of the office'],
];

const CASE = [
  ['case_no', 'Case number'],
  ['starter', 'Who registered the case'],
  ['received_at', 'When it was received'],
];

/** Implicit variables inside a repeated step. */
const REPEATED = [
  ['loopCounter', 'Which repetition it is, from 1'],
  ['numberOfInstances', 'How many repetitions there are'],
  ['numberOfCompletedInstances', 'How many repetitions are done'],
  ['numberOfActiveInstances', 'How many repetitions are open'],
  ['numberOfTerminatedInstances', 'How many repetitions were ended early'],
];

/** What a field of a form holds, by its kind. */
const KINDS = {
  textfield: 'text',
  textarea: 'text',
  select: 'one of several',
  radio: 'one of several',
  checkbox: 'yes or no',
  checklist: 'list of several',
  taglist: 'list of several',
  number: 'number',
  datetime: 'date',
  filepicker: 'documents',
  dynamiclist: 'list of rows',
  group: 'several named values',
  expression: 'computed',
};

class Scope {
  static $inject = ['elementRegistry', 'config.book', 'eventBus'];

  constructor(elementRegistry, book, eventBus) {
    this.registry = elementRegistry;
    this.book = book;
    this.kept = null;
    this.given = new WeakMap();
    eventBus.on(['commandStack.changed', 'import.done'], () => {
      // Without a value: what a listener returns ends the event for everybody after it.
      this.kept = null;
    });
  }

  /** For the standard groups of the panel. */
  async getVariablesForElement(businessObject) {
    return this.at(businessObject);
  }

  /** What can be used at this element: `[{name, info, detail, type?, params?}]`, each name once. The same list as before when it says the same. */
  at(businessObject) {
    const found = [...this.everywhere(), ...repeated(businessObject)];
    const seen = new Set();
    const now = found.filter((each) => each.name && !seen.has(each.name) && seen.add(each.name));
    const before = this.given.get(businessObject);
    if (before && alike(before, now)) {
      // An editor that is handed another list closes what it was offering.
      return before;
    }
    this.given.set(businessObject, now);
    return now;
  }

  everywhere() {
    this.kept ??= [...general(), ...this.registry.filter((element) => !element.labelTarget).flatMap((element) => this.written(getBusinessObject(element)))];
    return this.kept;
  }

  /** What a step leaves in the case. */
  written(bo) {
    const from = words('from “{name}”', { name: bo.name || bo.id });
    const made = (name, info = from, detail = '') => ({ name, info, detail });
    const found = [];
    const form = extension(bo, 'zeebe:FormDefinition')?.formId;
    const fields = form && this.book.forms.find((each) => each.id === form)?.fields;
    found.push(...(fields ?? []).map((field) => made(field.key, `${field.label} · ${from}`, words(KINDS[field.type] ?? 'text'))));
    const given = propertiesOf(bo);
    if (given.outcomes) {
      found.push(made(given['outcome.variable'] || 'outcome', `${given.outcomes} · ${from}`));
    }
    for (const name of ['zeebe:CalledDecision', 'zeebe:Script']) {
      const result = extension(bo, name)?.resultVariable;
      if (result) {
        found.push(made(result));
      }
    }
    found.push(...(extension(bo, 'zeebe:IoMapping')?.outputParameters ?? []).map((each) => made(each.target)));
    found.push(...(extension(bo, 'zeebe:IoMapping')?.inputParameters ?? []).map((each) => made(each.target)));
    const loop = bo.loopCharacteristics && extension(bo.loopCharacteristics, 'zeebe:LoopCharacteristics');
    if (loop?.outputCollection) {
      found.push(made(loop.outputCollection));
    }
    return found.filter((each) => each.name);
  }
}

const alike = (one, other) => one.length === other.length && one.every((each, at) => ['name', 'info', 'detail'].every((key) => each[key] === other[at][key]));

function general() {
  return [
    ...CASE.map(([name, info]) => ({ name, info: words(info) })),
    ...FUNCTIONS.map(([name, params, info]) => ({ name, type: 'function', params: parameters(params), info: words(info) })),
  ];
}

function repeated(bo) {
  const found = [];
  for (let at = bo; at; at = at.$parent) {
    const loop = at.loopCharacteristics;
    const about = loop && extension(loop, 'zeebe:LoopCharacteristics');
    if (loop) {
      found.push(...REPEATED.map(([name, info]) => ({ name, info: words(info) })));
    }
    if (about?.inputElement) {
      found.push({ name: about.inputElement, info: words('inside a repeated step') });
    }
  }
  return found;
}

export const scopeModule = { __init__: ['variableResolver'], variableResolver: ['type', Scope] };
