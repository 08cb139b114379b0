/**
 * The lists of flows at the nodes (`incoming`, `outgoing`; BPMN 2.0, 8.3.13). A file need not have them, but a process that has some must
 * have all. The drawing tool writes them for the lines it has drawn itself, so a file without them would leave the editor half listed.
 */

/** @param {object} container a process or sub-process; its nodes and those within, and its sequence flows, into `nodes` and `flows` */
function collect(container, nodes, flows) {
  for (const each of container.get('flowElements') ?? []) {
    if (each.$type === 'bpmn:SequenceFlow') {
      flows.push(each);
    } else if (each.$instanceOf('bpmn:FlowNode')) {
      nodes.push(each);
      if (each.$instanceOf('bpmn:SubProcess')) {
        collect(each, nodes, flows);
      }
    }
  }
}

/** Where one node of the process lists its flows, all nodes do; a process without lists stays without. */
export function completeLists(process) {
  const nodes = [];
  const flows = [];
  collect(process, nodes, flows);
  if (!nodes.some((node) => node.get('incoming').length || node.get('outgoing').length)) {
    return;
  }
  for (const flow of flows) {
    for (const [end, list] of [['sourceRef', 'outgoing'], ['targetRef', 'incoming']]) {
      const listed = flow[end]?.get?.(list);
      if (listed && !listed.includes(flow)) {
        listed.push(flow);
      }
    }
  }
}

function FlowLists(eventBus, bpmnjs, commandStack) {
  eventBus.on('saveXML.start', () => {
    if (!commandStack.canUndo()) {
      return; // What nobody has edited leaves as it came.
    }
    const roots = bpmnjs.getDefinitions()?.get('rootElements') ?? [];
    roots.filter((root) => root.$type === 'bpmn:Process').forEach(completeLists);
  });
}
FlowLists.$inject = ['eventBus', 'bpmnjs', 'commandStack'];

export const flowListsModule = { __init__: ['flowLists'], flowLists: ['type', FlowLists] };
