/** The form, the decision and the called process of an element, chosen from what the draft and the office have. */
import { h } from '@bpmn-io/properties-panel/preact';

import { words } from '../words.js';
import { choiceEntry, viewEntry } from './entries.js';
import { carrier, Changes, extension } from './properties.js';

export const REFERENCES = [
  { on: ['bpmn:UserTask', 'bpmn:StartEvent'], type: 'zeebe:FormDefinition', attribute: 'formId', from: 'forms', group: 'form', kind: 'form', open: 'Open the form', make: 'New form …', label: 'Form', help: 'What is filled in at this step.', first: {} },
  { on: ['bpmn:BusinessRuleTask'], type: 'zeebe:CalledDecision', attribute: 'decisionId', from: 'decisions', group: 'calledDecision', kind: 'decision', open: 'Open the decision', make: 'New decision …', label: 'Decision', help: 'The table that is asked.', first: { resultVariable: 'result' } },
  { on: ['bpmn:CallActivity'], type: 'zeebe:CalledElement', attribute: 'processId', from: 'processes', group: 'calledElement', kind: 'process', open: 'Open the process', label: 'Process', help: 'The process that is run in this place.', first: { propagateAllChildVariables: false } },
];

/** What belongs to a reference and is not said yet: a decision whose result goes nowhere is of no use. */
const missing = (reference, known) => Object.fromEntries(Object.entries(reference.first).filter(([name]) => known?.get(name) === undefined));

export function referenceEntry(reference, element, { get, book }) {
  const bo = carrier(element);
  const known = () => extension(bo, reference.type);
  return choiceEntry({
    id: `banjie-${reference.attribute}`,
    label: words(reference.label),
    help: words(reference.help),
    options: () => book.list(reference.from),
    get: () => known()?.[reference.attribute] ?? '',
    set: (value) => {
      const changes = new Changes(get, element);
      if (value) {
        changes.extension(reference.type, { ...missing(reference, known()), [reference.attribute]: value });
      } else {
        changes.extension(reference.type, null);
      }
      changes.apply();
    },
    computed: false,
  });
}

/** What `element` names as `kind`, or undefined. */
export function referenceOf(element, kind) {
  const reference = REFERENCES.find((each) => each.kind === kind);
  return extension(carrier(element), reference.type)?.[reference.attribute];
}

/** Sets what `element` names as `kind`, in one step of undo. */
export function setReference(get, element, kind, id) {
  const reference = REFERENCES.find((each) => each.kind === kind);
  const known = extension(carrier(element), reference.type);
  new Changes(get, element).extension(reference.type, { ...missing(reference, known), [reference.attribute]: id }).apply();
}

/** Below the choice: what is chosen, opened in place; or a new one. The page does it (`banjie.open`). */
export function openingEntry(reference, element, { get }) {
  return viewEntry({
    id: `banjie-${reference.attribute}-open`,
    view: () => {
      const id = extension(carrier(element), reference.type)?.[reference.attribute] ?? '';
      const expression = id.startsWith('=');
      const fire = (wanted) => get('eventBus').fire('banjie.open', { element, kind: reference.kind, id: wanted });
      const key = (action, text, wanted) => h('button', { type: 'button', class: 'btn btn-sm', 'data-open': action, onClick: () => fire(wanted) }, words(text));
      return h(
        'div',
        { class: 'bio-properties-panel-entry designer__opening' },
        id && !expression ? key('open', reference.open, id) : null,
        reference.make ? key('make', reference.make, '') : null,
      );
    },
  });
}
