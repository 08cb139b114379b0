/** The findings that can be cured by one press: by a change that can mean only one thing, or by opening the right choice. */
import { getBusinessObject } from 'bpmn-js/lib/util/ModelUtil.js';

import { renameProcess, strangerTo } from './process_id.js';
import { words } from './words.js';

/** Opens the entry of the properties panel in which the choice is made. */
const choose = (entry) => ({ label: words('Choose …'), act: (element, get) => open(element, get, entry) });

function open(element, get, entry) {
  get('selection').select(element);
  // The panel draws the groups of the newly selected element first.
  requestAnimationFrame(() => get('eventBus').fire('propertiesPanel.showEntry', { id: entry }));
}

const attributesNaming = {
  rule: ['deadline', 'extendable', 'clock.start', 'clock.stop', 'clock.extend'],
  ladder: ['ladder'],
};

/** rule of the finding → (element, problem) → `{label, act(element, get)}` or null */
const FIXES = {
  'deploy.unknown-form': () => choose('banjie-formId'),
  'deploy.unknown-decision': () => choose('banjie-decisionId'),
  'deploy.unknown-process': () => choose('banjie-processId'),
  'deploy.unknown-group': () => choose('banjie-assign'),
  'assignment.nobody': () => choose('banjie-assign'),
  'deploy.unknown-rule': (element, problem) => choose(`banjie-${named(element, problem, 'rule')}`),
  'deploy.unknown-ladder': () => choose('banjie-ladder'),
  'bpmn.condition': (element) => (element.waypoints ? { label: words('Write the condition'), act: (found, get) => open(found, get, 'conditionExpression') } : null),
  'zeebe.no-result': () => ({ label: words('Name the result'), act: (found, get) => open(found, get, 'resultVariable') }),
  'bpmn.no-outgoing': (element) => (element.waypoints ? null : { label: words('Append an end'), act: appendEnd }),
  'bpmn.not-executable': () => ({
    label: words('Make it executable'),
    act: (element, get) => {
      const process = getBusinessObject(element).processRef ?? getBusinessObject(element);
      get('modeling').updateModdleProperties(element, process, { isExecutable: true });
    },
  }),
  'label-required': (element) => ({ label: words('Give it a name'), act: (found, get) => get('directEditing').activate(element.waypoints ? (element.label ?? found) : found) }),
  'banjie.no-form': () => choose('banjie-formId'),
  'banjie.nobody': () => choose('banjie-assign'),
  'superfluous-gateway': () => ({ label: words('Remove the gateway'), act: (element, get) => get('modeling').removeElements([element]) }),
};

/** Findings about another file of the draft that the drawing in front can cure: rule → (problem, modeler) → `{label, act()}` or null */
const CURED_BY_DRAWING = {
  'procedure.unknown-process': ({ elementId }, modeler) => {
    const process = strangerTo(modeler, elementId);
    return process && { label: words('Rename “{id}” to “{wanted}”', { id: process.id, wanted: elementId }), act: () => renameProcess(modeler, process, elementId) };
  },
};

function named(element, problem, kind) {
  const given = getBusinessObject(element).extensionElements?.values?.find((each) => each.$type === 'zeebe:Properties')?.properties ?? [];
  const hit = given.find((each) => attributesNaming[kind].includes(each.name) && problem.message.includes(each.value));
  return hit?.name ?? attributesNaming[kind][0];
}

function appendEnd(element, get) {
  const shape = get('elementFactory').createShape({ type: 'bpmn:EndEvent' });
  get('autoPlace').append(element, shape);
  get('directEditing').activate(shape);
}

/** `{label, act}` for a finding that can be cured on the drawing that is open, or null. */
export function fixFor(problem, findings) {
  const { modeler } = findings;
  if (CURED_BY_DRAWING[problem.rule]) {
    return CURED_BY_DRAWING[problem.rule](problem, modeler);
  }
  const make = FIXES[problem.rule];
  const element = problem.elementId && modeler.get('elementRegistry').get(problem.elementId);
  if (!make || !element || problem.file !== findings.currentFile()) {
    return null;
  }
  const fix = make(element, problem);
  const get = (name) => modeler.get(name);
  return fix && { label: fix.label, act: () => findings.select(problem.elementId) && fix.act(element, get) };
}
