/** The gateway after a step of several people: where the case goes when it passed, when it did not, when nobody could be asked. */
import { is } from 'bpmn-js/lib/util/ModelUtil.js';
import { selfAndAllChildren } from 'diagram-js/lib/util/Elements.js';

import { words } from '../words.js';
import { extension } from './properties.js';

/** The attribute of a flow that says which way it was drawn for: `passed` or `unmet`. */
export const WAY = 'signing.way';

/** Flows of the exclusive gateway that a step leads to, if it leads to one. */
export function flowsAfter(bo) {
  const targets = (bo.outgoing ?? []).map((flow) => flow.targetRef);
  return targets.length === 1 && targets[0]?.$type === 'bpmn:ExclusiveGateway' ? (targets[0].outgoing ?? []) : [];
}

const COMMAND = 'banjie.signing.result';
/** Width of what is drawn, and the measures of it. */
const ROOM = 230;
const GATEWAY = 50;
const END = 36;
/** Of an end with its name below, and the room to the next thing. */
const END_ROOM = END + 30;
const GAP = 30;

const isFrame = (shape) => is(shape, 'bpmn:Lane') || is(shape, 'bpmn:Participant');
const overlaps = (shape, box) => shape.x < box.right && shape.x + shape.width > box.left && shape.y < box.bottom && shape.y + shape.height > box.top;

/** Draws all of it inside one command, so that one undo takes it away. */
class Drawing {
  static $inject = ['modeling', 'bpmnFactory', 'spaceTool', 'canvas'];

  constructor(modeling, bpmnFactory, spaceTool, canvas) {
    Object.assign(this, { modeling, bpmnFactory, spaceTool, canvas });
  }

  preExecute({ element, terms, unmet }) {
    const { modeling } = this;
    const next = element.outgoing.filter((each) => each.type === 'bpmn:SequenceFlow');
    const edge = element.x + element.width;
    const middle = element.y + element.height / 2;
    const ends = unmet ? 2 : 1;
    const below = { left: edge + 1, right: edge + ROOM, top: element.y, bottom: element.y + element.height + GAP + ends * END_ROOM };
    if (next.length || this.shapesBeside(element).some((each) => overlaps(each, below))) {
      this.widen('x', ROOM, edge + 1);
    }
    const column = { left: edge + 50, right: edge + ROOM };
    const tops = this.freeRows(element, column, ends);
    this.makeRoomBelow(element, tops.at(-1) + END_ROOM);
    const gateway = modeling.createShape({ type: 'bpmn:ExclusiveGateway' }, { x: edge + 50 + GATEWAY / 2, y: middle }, element.parent);
    modeling.updateProperties(gateway, { name: words('Passed?') });
    const [kept] = next;
    if (kept) {
      for (const flow of next) {
        modeling.reconnectStart(flow, gateway, { x: gateway.x + GATEWAY, y: middle });
      }
      this.ask(kept, words('Passed'), 'passed', terms.passed);
    } else {
      this.ask(this.end(gateway, words('Passed'), { x: edge + ROOM - 40, y: middle }), words('Passed'), 'passed', terms.passed);
    }
    modeling.connect(element, gateway, { type: 'bpmn:SequenceFlow' });
    const place = (row) => ({ x: gateway.x + GATEWAY + 70, y: tops[row] + END / 2 });
    const otherwise = this.end(gateway, words('Not passed'), place(0));
    modeling.updateProperties(otherwise, { name: words('Not passed') });
    modeling.updateProperties(gateway, { default: otherwise.businessObject });
    if (unmet) {
      this.ask(this.end(gateway, words('Nobody could be asked'), place(1)), words('No quorum'), 'unmet', terms.unmet);
    }
    // The panel shows the step, and looks again only when the step itself has changed.
    modeling.updateProperties(element, {});
  }

  /** Steps and events beside the element, without what frames them and without names. */
  shapesBeside(element) {
    return element.parent.children.filter((each) => !each.waypoints && !each.labelTarget && !isFrame(each) && each !== element);
  }

  /** The tops of so many free places below the element, one below the other. */
  freeRows(element, { left, right }, count) {
    const others = this.shapesBeside(element);
    const rows = [];
    let top = element.y + element.height + GAP;
    while (rows.length < count) {
      const inTheWay = others.find((each) => overlaps(each, { left, right, top, bottom: top + END_ROOM }));
      if (inTheWay) {
        top = inTheWay.y + inTheWay.height + GAP;
      } else {
        rows.push(top);
        top += END_ROOM + GAP / 2;
      }
    }
    return rows;
  }

  /** The lane, or the sub-process, grows downwards until it reaches `bottom`; what is below it moves along. */
  makeRoomBelow(element, bottom) {
    const lanes = element.parent.children.flatMap((each) => selfAndAllChildren(each, true)).filter((each) => is(each, 'bpmn:Lane'));
    const middle = { left: element.x, right: element.x + 1, top: element.y + element.height / 2, bottom: element.y + element.height / 2 + 1 };
    const lane = lanes.filter((each) => overlaps(each, middle)).sort((one, other) => one.height - other.height)[0];
    const frame = lane ?? (element.parent.width ? element.parent : null);
    const missing = frame ? bottom - (frame.y + frame.height) : 0;
    if (missing > 0) {
      this.widen('y', Math.ceil(missing / 10) * 10, frame.y + frame.height - 1);
    }
  }

  /** Room across the whole drawing, as the space tool makes it: pools and lanes grow. */
  widen(axis, amount, start) {
    const { movingShapes, resizingShapes } = this.spaceTool.calculateAdjustments(selfAndAllChildren(this.canvas.getRootElement(), true), axis, amount, start);
    this.modeling.createSpace(movingShapes, resizingShapes, { x: 0, y: 0, [axis]: amount }, axis === 'x' ? 'e' : 's', start);
  }

  end(gateway, name, place) {
    const shape = this.modeling.createShape({ type: 'bpmn:EndEvent' }, place, gateway.parent);
    this.modeling.updateProperties(shape, { name });
    return this.modeling.connect(gateway, shape, { type: 'bpmn:SequenceFlow' });
  }

  /** What the flow asks for, and the mark by which the panel finds it again. */
  ask(flow, name, way, body) {
    const bo = flow.businessObject;
    const make = (type, attributes, parent) => Object.assign(this.bpmnFactory.create(type, attributes), { $parent: parent });
    const condition = make('bpmn:FormalExpression', { body }, bo);
    const mark = make('zeebe:Property', { name: WAY, value: way });
    const before = extension(bo, 'zeebe:Properties');
    const list = make('zeebe:Properties', { properties: [...(before?.properties ?? []).filter((each) => each.name !== WAY), mark] });
    mark.$parent = list;
    const extensionElements = make('bpmn:ExtensionElements', { values: [...(bo.extensionElements?.values ?? []).filter((each) => each !== before), list] }, bo);
    list.$parent = extensionElements;
    this.modeling.updateProperties(flow, { name: bo.name || name, conditionExpression: condition, extensionElements });
  }
}

const ready = new WeakSet();

export function drawResult(get, element, terms, { unmet }) {
  const stack = get('commandStack');
  if (!ready.has(stack)) {
    stack.registerHandler(COMMAND, Drawing);
    ready.add(stack);
  }
  stack.execute(COMMAND, { element, terms, unmet });
}
