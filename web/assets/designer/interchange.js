/**
 * Files of other tools leave the editor with everything they came with. Three things the drawing tool would lose by itself:
 *
 * - the place on the drawing of what it cannot draw (conversations, choreographies): it writes only what it has drawn;
 * - the names of four elements, which it writes by their type (`formalExpression`) instead of the name the standard gives them;
 * - characters of files that are not written in UTF-8, as older Chinese tools do.
 */
import BpmnDiOrdering from 'bpmn-js/lib/features/di-ordering/BpmnDiOrdering.js';
import { getDi } from 'bpmn-js/lib/util/ModelUtil.js';

const AFTER_THE_TOOL = 1900;

/** The order of the drawing, then what the file had on this plane and the tool did not draw. What was deleted is no longer on the plane. */
function KeptDiOrdering(eventBus, canvas, elementRegistry) {
  const before = new Map();
  // Higher than the tool's own: what stands on the planes before it orders them.
  eventBus.on('saveXML.start', 2100, () => {
    before.clear();
    canvas.getRootElements().forEach((root) => before.set(getDi(root), [...(getDi(root)?.get('planeElement') ?? [])]));
  });
  BpmnDiOrdering.call(this, eventBus, canvas);
  eventBus.on('saveXML.start', AFTER_THE_TOOL, () => {
    for (const [plane, elements] of before) {
      const drawn = new Set(plane?.get('planeElement'));
      const kept = elements.filter((each) => !drawn.has(each) && each.bpmnElement && !elementRegistry.get(each.bpmnElement.id));
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

function standardNames(moddle) {
  for (const [type, names] of Object.entries(NAMED)) {
    for (const property of moddle.registry.typeMap[type].properties) {
      if (names.includes(property.ns.localName)) {
        property.xml = { serialize: 'property' };
      }
    }
  }
}
standardNames.$inject = ['moddle'];

export const interchangeModule = { __init__: [standardNames], bpmnDiOrdering: ['type', KeptDiOrdering] };

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
