/** Copies the elements of a pattern into the open drawing, and joins them to what is selected there. */
import Modeler from 'bpmn-js/lib/Modeler.js';
import { createReviver } from 'bpmn-js-native-copy-paste/lib/PasteUtil.js';
import { is } from 'bpmn-js/lib/util/ModelUtil.js';
import zeebe from 'zeebe-bpmn-moddle/resources/zeebe.json';

import { translateModule } from '../../lib/words.js';
import { words } from '../words.js';

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
  if (selected && (is(selected, 'bpmn:FlowNode') || is(selected, 'bpmn:SequenceFlow'))) {
    return is(selected.parent, 'bpmn:Lane') ? selected.parent.parent : selected.parent;
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

/**
 * Where the pattern joins what is there: into a flow (the selected one, or the only one after the selected step), after a step that leads
 * nowhere yet, or after the start of an empty process. Null: it stands beside.
 */
function joint(parent, selected) {
  const flows = (shape) => shape.outgoing.filter((each) => is(each, 'bpmn:SequenceFlow'));
  const starts = (parent.children ?? []).filter((each) => is(each, 'bpmn:StartEvent') && !each.labelTarget);
  const lonely = starts.length === 1 && !flows(starts[0]).length ? starts[0] : null;
  if (!selected) {
    return lonely && { after: lonely };
  }
  if (is(selected, 'bpmn:SequenceFlow')) {
    return { flow: selected };
  }
  if (!is(selected, 'bpmn:FlowNode') || selected === parent || is(selected, 'bpmn:EndEvent') || flows(selected).length > 1) {
    return null;
  }
  const [flow] = flows(selected);
  return flow ? { flow } : { after: selected };
}

const leads = (shape, way) => shape[way].some((each) => is(each, 'bpmn:SequenceFlow'));

/**
 * Where a pattern begins and where it goes on: what nothing leads to (or, where it returns to its beginning, what stands leftmost), and the
 * event from which nothing leads on. Patterns that stand beside the path have neither.
 */
function openEnds(elements, parent) {
  const nodes = elements.filter((each) => each.parent === parent && !each.labelTarget && is(each, 'bpmn:FlowNode') && !each.businessObject.triggeredByEvent);
  const first = [...nodes].sort((one, other) => one.x - other.x || one.y - other.y)[0];
  return {
    entry: nodes.find((each) => !leads(each, 'incoming') && !is(each, 'bpmn:BoundaryEvent')) ?? first,
    exit: nodes.find((each) => !leads(each, 'outgoing') && is(each, 'bpmn:IntermediateThrowEvent')),
  };
}

const COMMAND = 'banjie.snippet';

/** Pastes and connects inside one command, so that one undo takes it away. */
class Insertion {
  static $inject = ['copyPaste', 'modeling'];

  constructor(copyPaste, modeling) {
    Object.assign(this, { copyPaste, modeling });
  }

  preExecute(context) {
    const { tree, parent, point, place } = context;
    context.elements = this.copyPaste.paste({ tree, element: parent, point }) ?? [];
    const { entry, exit } = openEnds(context.elements, parent);
    if (!place || !entry || !exit) {
      return;
    }
    const connect = (from, to) => this.modeling.connect(from, to, { type: 'bpmn:SequenceFlow' });
    if (place.flow) {
      const next = place.flow.target;
      this.modeling.reconnectEnd(place.flow, entry, { x: entry.x + entry.width / 2, y: entry.y + entry.height / 2 });
      connect(exit, next);
    } else {
      connect(place.after, entry);
      const end = this.modeling.createShape({ type: 'bpmn:EndEvent' }, { x: exit.x + exit.width + 80, y: exit.y + exit.height / 2 }, parent);
      this.modeling.updateProperties(end, { name: words('Closed') });
      connect(exit, end);
    }
  }
}

const ready = new WeakSet();

/** Inserts the pattern, selects it and shows it; one step of undo. */
export async function insert(snippet, modeler) {
  const [selected] = modeler.get('selection').get();
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
  const stack = modeler.get('commandStack');
  if (!ready.has(stack)) {
    stack.registerHandler(COMMAND, Insertion);
    ready.add(stack);
  }
  const context = { tree, parent, point, place: joint(parent, selected) };
  stack.execute(COMMAND, context);
  const { elements } = context;
  modeler.get('selection').select(elements.filter((each) => !each.labelTarget && !each.waypoints));
  const [first] = elements.filter((each) => !each.waypoints);
  if (first) {
    modeler.get('canvas').scrollToElement(first, 120);
  }
  return elements;
}
