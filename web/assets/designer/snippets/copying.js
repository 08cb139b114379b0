/** Copies the elements of a pattern into the open drawing. */
import Modeler from 'bpmn-js/lib/Modeler.js';
import { createReviver } from 'bpmn-js-native-copy-paste/lib/PasteUtil.js';
import { is } from 'bpmn-js/lib/util/ModelUtil.js';
import zeebe from 'zeebe-bpmn-moddle/resources/zeebe.json';

import { translateModule } from '../../lib/words.js';

/** Room between what is there and what is put in. */
const ROOM = 80;

/** The elements of the pattern as they are copied, for a modeler with this `moddle`. */
async function treeOf(text, moddle) {
  const container = document.createElement('div');
  const workbench = new Modeler({ container, moddleExtensions: { zeebe }, additionalModules: [translateModule] });
  try {
    await workbench.importXML(text);
    const root = workbench.get('canvas').getRootElement();
    const tree = workbench.get('copyPaste').copy(root.children.filter((each) => !each.labelTarget));
    return JSON.parse(JSON.stringify(tree), createReviver(moddle));
  } finally {
    workbench.destroy();
  }
}

/** Where to: the process, or the pool of what is selected, else the first pool with a process in it. */
function target(modeler) {
  const root = modeler.get('canvas').getRootElement();
  const [selected] = modeler.get('selection').get();
  if (selected && is(selected, 'bpmn:SubProcess') && !selected.collapsed) {
    return selected;
  }
  if (!is(root, 'bpmn:Collaboration')) {
    return root;
  }
  let pool = selected;
  while (pool && !is(pool, 'bpmn:Participant')) {
    pool = pool.parent;
  }
  return pool ?? root.children.find((each) => is(each, 'bpmn:Participant') && each.businessObject.processRef) ?? root;
}

/** Below what is there, at its left edge. */
function freePlace(parent, modeler) {
  const children = (parent.children ?? []).filter((each) => !each.waypoints && !is(each, 'bpmn:Lane'));
  if (!children.length) {
    const { x, y, width, height } = parent.width ? parent : modeler.get('canvas').viewbox();
    return { left: x + width / 4, top: y + height / 4 };
  }
  return { left: Math.min(...children.map((each) => each.x)), top: Math.max(...children.map((each) => each.y + each.height)) + ROOM };
}

/** Inserts the pattern, selects it and shows it; one step of undo. */
export async function insert(snippet, modeler) {
  const tree = await treeOf(snippet.text, modeler.get('moddle'));
  const shapes = Object.values(tree).flat().filter((each) => !each.waypoints && !each.labelTarget);
  const box = {
    left: Math.min(...shapes.map((each) => each.x)),
    top: Math.min(...shapes.map((each) => each.y)),
    right: Math.max(...shapes.map((each) => each.x + each.width)),
    bottom: Math.max(...shapes.map((each) => each.y + each.height)),
  };
  const parent = target(modeler);
  const { left, top } = freePlace(parent, modeler);
  const point = { x: Math.round(left + (box.right - box.left) / 2), y: Math.round(top + (box.bottom - box.top) / 2) };
  const pasted = modeler.get('copyPaste').paste({ tree, element: parent, point });
  const elements = pasted ?? [];
  modeler.get('selection').select(elements.filter((each) => !each.labelTarget && !each.waypoints));
  const [first] = elements.filter((each) => !each.waypoints);
  if (first) {
    modeler.get('canvas').scrollToElement(first, 120);
  }
  return elements;
}
