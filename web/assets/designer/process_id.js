/** The id of the process: the draft's sheet, and whoever calls the process, know it by one; a file from elsewhere brings another. */
import { getBusinessObject } from 'bpmn-js/lib/util/ModelUtil.js';

const processesOf = (modeler) => (modeler.getDefinitions()?.get('rootElements') ?? []).filter((each) => each.$type === 'bpmn:Process');

/** The process of the drawing that would have to be called `wanted`, or null: one is called so, or there is none that can be renamed. */
export function strangerTo(modeler, wanted) {
  const all = processesOf(modeler);
  if (!wanted || !all.length || modeler.get('moddle').ids.assigned(wanted)) {
    return null;
  }
  const drawn = all.filter((each) => holderOf(modeler, each));
  return drawn.find((each) => each.isExecutable) ?? drawn[0] ?? null;
}

/** What stands for the process on the drawing: itself, or its pool. */
const holderOf = (modeler, process) => modeler.get('elementRegistry').find((each) => [getBusinessObject(each), getBusinessObject(each)?.processRef].includes(process));

/** As one step that can be undone. */
export function renameProcess(modeler, process, id) {
  const holder = holderOf(modeler, process);
  if (getBusinessObject(holder) === process) {
    modeler.get('modeling').updateProperties(holder, { id });
  } else {
    modeler.get('modeling').updateModdleProperties(holder, process, { id });
  }
}
