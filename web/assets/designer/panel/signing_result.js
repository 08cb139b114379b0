/** The gateway after a step of several people: where the case goes when it passed, when it did not, when nobody could be asked. */
import { words } from '../words.js';

/** Flows of the exclusive gateway that a step leads to, if it leads to one. */
export function flowsAfter(bo) {
  const targets = (bo.outgoing ?? []).map((flow) => flow.targetRef);
  return targets.length === 1 && targets[0]?.$type === 'bpmn:ExclusiveGateway' ? (targets[0].outgoing ?? []) : [];
}

const COMMAND = 'banjie.signing.result';
const ROOM = 150;
const GATEWAY = 50;

/** Draws all of it inside one command, so that one undo takes it away. */
class Drawing {
  static $inject = ['modeling', 'bpmnFactory', 'spaceTool'];

  constructor(modeling, bpmnFactory, spaceTool) {
    Object.assign(this, { modeling, bpmnFactory, spaceTool });
  }

  preExecute({ element, terms, unmet }) {
    const { modeling } = this;
    const next = element.outgoing.filter((each) => each.type === 'bpmn:SequenceFlow');
    const edge = element.x + element.width;
    const middle = element.y + element.height / 2;
    if (next.length) {
      const { movingShapes, resizingShapes } = this.spaceTool.calculateAdjustments(element.parent.children.filter((each) => !each.waypoints), 'x', ROOM, edge + 1);
      modeling.createSpace(movingShapes, resizingShapes, { x: ROOM, y: 0 }, 'e', edge + 1);
    }
    const gateway = modeling.createShape({ type: 'bpmn:ExclusiveGateway' }, { x: edge + 50 + GATEWAY / 2, y: middle }, element.parent);
    modeling.updateProperties(gateway, { name: words('Passed?') });
    const [kept] = next;
    if (kept) {
      for (const flow of next) {
        modeling.reconnectStart(flow, gateway, { x: gateway.x + GATEWAY, y: middle });
      }
      this.ask(kept, words('Passed'), terms.passed);
    } else {
      this.ask(this.end(gateway, words('Passed'), { x: edge + ROOM + 40, y: middle }), words('Passed'), terms.passed);
    }
    modeling.connect(element, gateway, { type: 'bpmn:SequenceFlow' });
    const below = element.y + element.height + 60;
    const otherwise = this.end(gateway, words('Not passed'), { x: gateway.x + GATEWAY + 70, y: below });
    modeling.updateProperties(otherwise, { name: words('Not passed') });
    modeling.updateProperties(gateway, { default: otherwise.businessObject });
    if (unmet) {
      this.ask(this.end(gateway, words('Nobody could be asked'), { x: gateway.x + GATEWAY + 70, y: below + 80 }), words('No quorum'), terms.unmet);
    }
    // The panel shows the step, and looks again only when the step itself has changed.
    modeling.updateProperties(element, {});
  }

  end(gateway, name, place) {
    const shape = this.modeling.createShape({ type: 'bpmn:EndEvent' }, place, gateway.parent);
    this.modeling.updateProperties(shape, { name });
    return this.modeling.connect(gateway, shape, { type: 'bpmn:SequenceFlow' });
  }

  ask(flow, name, body) {
    const condition = this.bpmnFactory.create('bpmn:FormalExpression', { body });
    this.modeling.updateProperties(flow, { name: flow.businessObject.name || name, conditionExpression: condition });
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
