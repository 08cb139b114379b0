/** The form, the decision and the called process of an element, chosen from what the draft and the office have. */
import { words } from '../words.js';
import { choiceEntry } from './entries.js';
import { carrier, Changes, extension } from './properties.js';

export const REFERENCES = [
  { on: ['bpmn:UserTask', 'bpmn:StartEvent'], type: 'zeebe:FormDefinition', attribute: 'formId', from: 'forms', group: 'form', label: 'Form', help: 'What is filled in at this step.', first: {} },
  { on: ['bpmn:BusinessRuleTask'], type: 'zeebe:CalledDecision', attribute: 'decisionId', from: 'decisions', group: 'calledDecision', label: 'Decision', help: 'The table that is asked.', first: { resultVariable: 'result' } },
  { on: ['bpmn:CallActivity'], type: 'zeebe:CalledElement', attribute: 'processId', from: 'processes', group: 'calledElement', label: 'Process', help: 'The process that is run in this place.', first: { propagateAllChildVariables: false } },
];

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
        changes.extension(reference.type, { ...(known() ? {} : reference.first), [reference.attribute]: value });
      } else {
        changes.extension(reference.type, null);
      }
      changes.apply();
    },
    computed: false,
  });
}
