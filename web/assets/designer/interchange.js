/**
 * Files of other tools leave the editor with everything they came with, and with nothing else. What the drawing tool would do by itself:
 *
 * - leave out the place on the drawing of what it cannot draw (conversations, choreographies): it writes only what it has drawn;
 * - write five elements by their type instead of the name the standard gives them, or the other way round;
 * - leave out that a message flow shows the envelope of the one who begins, which it takes for the default;
 * - add a mark to gateways of which the file does not say that they have one, and an empty drawing for each collapsed sub-process;
 * - take sub-processes for collapsed that show their steps without saying so;
 * - lose characters of files that are not written in UTF-8, as older Chinese tools do.
 */
import BpmnDiOrdering from 'bpmn-js/lib/features/di-ordering/BpmnDiOrdering.js';
import { getDi } from 'bpmn-js/lib/util/ModelUtil.js';

const AFTER_THE_TOOL = 1900;

/** The order of the drawing, then what the file had on this plane and the tool did not draw. What was deleted is no longer on the plane. */
function KeptDiOrdering(eventBus, canvas, elementRegistry) {
  const before = new Map();
  let dangling = new Set();
  eventBus.on('import.parse.complete', ({ references = [], elementsById = {} }) => {
    dangling = new Set(references.filter((each) => each.property === 'bpmndi:bpmnElement' && !elementsById[each.id]).map((each) => each.element));
  });
  // A line may belong to nothing, between two that are drawn; only what belongs to something missing is left out, as was said.
  const isKept = (each) => (each.bpmnElement ? !elementRegistry.get(each.bpmnElement.id) : !dangling.has(each));
  // Higher than the tool's own: what stands on the planes before it orders them.
  eventBus.on('saveXML.start', 2100, () => {
    before.clear();
    canvas.getRootElements().forEach((root) => before.set(getDi(root), [...(getDi(root)?.get('planeElement') ?? [])]));
  });
  BpmnDiOrdering.call(this, eventBus, canvas);
  eventBus.on('saveXML.start', AFTER_THE_TOOL, () => {
    for (const [plane, elements] of before) {
      const drawn = new Set(plane?.get('planeElement'));
      const kept = elements.filter((each) => !drawn.has(each) && isKept(each));
      plane?.set('planeElement', [...plane.get('planeElement'), ...kept]);
    }
  });
}
KeptDiOrdering.$inject = ['eventBus', 'canvas', 'elementRegistry'];

/** Type → its elements whose name the standard gives (BPMN 2.0, tables 8.34, 8.35, 10.31), to be written by that name. */
const NAMED = {
  'bpmn:CorrelationPropertyRetrievalExpression': ['messagePath'],
  'bpmn:CorrelationPropertyBinding': ['dataPath'],
  'bpmn:ComplexBehaviorDefinition': ['condition', 'event'],
};
/** Written by the name of their type: other engines look for `formalExpression` here (BPMN20.xsd: the head of its group is `expression`). */
const NAMED_BY_TYPE = { 'bpmn:ResourceAssignmentExpression': ['expression'] };

function standardNames(moddle) {
  for (const [table, xml] of [
    [NAMED, { serialize: 'property' }],
    [NAMED_BY_TYPE, undefined],
  ]) {
    for (const [type, names] of Object.entries(table)) {
      moddle.registry.typeMap[type].properties.filter((each) => names.includes(each.ns.localName)).forEach((each) => Object.assign(each, { xml }));
    }
  }
  // The schema has no default here: without the attribute no envelope is shown. What reads the drawing still finds the tool's own one.
  const { $descriptor } = moddle.getType('bpmndi:BPMNEdge');
  delete $descriptor.propertiesByName['bpmndi:messageVisibleKind'].default;
}
standardNames.$inject = ['moddle'];

/** Sub-processes that show their steps inside their frame and do not say so (jBPM, the modeler of Eclipse). */
function tacitlyExpanded(shapes) {
  const inside = ({ x, y, width, height }, { bounds }) => bounds && bounds.x >= x && bounds.y >= y && bounds.x + bounds.width <= x + width && bounds.y + bounds.height <= y + height;
  const silent = shapes.filter((each) => each.bounds && each.isExpanded === undefined && each.bpmnElement?.$instanceOf('bpmn:SubProcess'));
  return silent.filter((each) => shapes.some((other) => other.bpmnElement?.$parent === each.bpmnElement && inside(each.bounds, other)));
}

/** What the tool adds when it shows a file is on the drawing, but not in the file that is written. */
function NothingAdded(eventBus) {
  let unmarked = [];
  let expanded = [];
  let known = new Set();
  let added = [];
  let takenBack = [];
  // Higher and lower than the tool's own, which makes drawings for collapsed sub-processes.
  eventBus.on('import.render.start', 1600, ({ definitions }) => {
    known = new Set(definitions.get('diagrams'));
    const shapes = [...known].flatMap((each) => each.plane?.get('planeElement') ?? []);
    unmarked = shapes.filter((each) => each.bpmnElement?.$type === 'bpmn:ExclusiveGateway' && each.isMarkerVisible === undefined);
    // Taken for closed ones they would lose their steps to a drawing of their own.
    expanded = tacitlyExpanded(shapes);
    expanded.forEach((each) => each.set('isExpanded', true));
  });
  eventBus.on('import.render.start', 1400, ({ definitions }) => {
    added = definitions.get('diagrams').filter((each) => !known.has(each));
  });
  eventBus.on('saveXML.start', AFTER_THE_TOOL, ({ definitions }) => {
    takenBack = [];
    const hide = (shapes, name) => {
      const hidden = shapes.filter((each) => each[name] === true);
      hidden.forEach((each) => delete each[name]);
      takenBack.push(() => hidden.forEach((each) => each.set(name, true)));
    };
    hide(unmarked, 'isMarkerVisible');
    hide(expanded, 'isExpanded');
    const diagrams = definitions.get('diagrams');
    const all = [...diagrams];
    const empty = added.filter((each) => !each.plane.get('planeElement').length);
    definitions.set('diagrams', all.filter((each) => !empty.includes(each)));
    takenBack.push(() => definitions.set('diagrams', all));
  });
  eventBus.on('saveXML.done', () => takenBack.splice(0).forEach((each) => each()));
}
NothingAdded.$inject = ['eventBus'];

export const interchangeModule = { __init__: [standardNames, 'nothingAdded'], nothingAdded: ['type', NothingAdded], bpmnDiOrdering: ['type', KeptDiOrdering] };

const MARKS = [
  [[0xef, 0xbb, 0xbf], 'utf-8'],
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
];
const DECLARED = /^(\s*<\?xml[^>]*?encoding\s*=\s*)(["'])([\w.:-]+)\2/;

/**
 * The text of a file by the encoding it declares, as XML asks for; the declaration then says UTF-8, which is what is kept.
 * Null when the file is not written in the encoding it names, or in one that this browser does not know.
 */
export async function textOf(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const marked = MARKS.find(([mark]) => mark.every((byte, index) => bytes[index] === byte))?.[1];
  const declared = DECLARED.exec(new TextDecoder('latin1').decode(bytes.subarray(0, 200)))?.[3];
  try {
    const text = new TextDecoder(marked ?? declared ?? 'utf-8', { fatal: true }).decode(bytes);
    return text.replace(DECLARED, '$1$2UTF-8$2');
  } catch (error) {
    console.info('encoding', error);
    return null;
  }
}
