/** One sentence for each standard property of the panel, beside those of our own groups: what it means in this engine. */
import { words } from '../words.js';

/** Entry → sentence. What stands in a list (inputs, outputs …) has the element's id and a number before its name. */
const ENTRIES = {
  name: 'Shown on the drawing, in lists and on the case: what is done, as a verb.',
  id: 'The name in files and expressions. Made by itself; leave it as it is once cases run.',
  documentation: 'For colleagues who read the drawing later; nobody handling a case sees it.',
  text: 'A remark on the drawing; it does nothing.',
  processName: 'The title of the procedure in the drawing.',
  processId: 'The name of the procedure in files and calls. It cannot be changed once it is in use.',
  processDocumentation: 'For colleagues who read the drawing later; nobody handling a case sees it.',
  isExecutable: 'Only an executable process can be published; a mere picture is not.',
  versionTag: 'A remark of your own; versions are counted by the office when publishing.',
  conditionExpression: 'The way is taken when this is true, for example: outcome = "approve". The way without a condition is the default.',
  'multiInstance-inputCollection': 'A list; the step is done once for each item of it. For people choose in “Several handlers” instead.',
  'multiInstance-inputElement': 'The name under which each repetition sees its item.',
  'multiInstance-outputCollection': 'The list in which the results of the repetitions are collected.',
  'multiInstance-outputElement': 'What each repetition adds to the list of results.',
  'multiInstance-completionCondition': 'Asked after each repetition: when it is true the others end.',
  'input-target': 'A value of this step alone, by this name.',
  'input-source': 'What it is at the beginning of the step.',
  'output-target': 'The name under which the case keeps it.',
  'output-source': 'What is kept when the step is done. With an output only what is named here is kept.',
  assignmentDefinitionAssignee: 'What “Who handles it” writes: one person. Better chosen there.',
  assignmentDefinitionCandidateGroups: 'What “Who handles it” writes: roles and sections. Better chosen there.',
  assignmentDefinitionCandidateUsers: 'What “Who handles it” writes: several people. Better chosen there.',
  taskScheduleDueDate: 'A date shown in lists. A limit with lights and reminders is chosen in “Deadline of this step”.',
  taskScheduleFollowUpDate: 'From this date the step stands under “Follow-up set”.',
  priorityDefinitionPriority: 'From 0 to 100, usually 50: the order in lists when all else is equal.',
  'extensionProperty-name': 'As it stands in the file. Better changed in the groups above.',
  'extensionProperty-value': 'As it stands in the file. Better changed in the groups above.',
  taskDefinitionType: 'The name of the program that does it; your administrator knows which there are.',
  taskDefinitionRetries: 'How often it is tried again when the program fails; empty: three times.',
  'header-key': 'A setting that the program reads.',
  'header-value': 'A setting that the program reads.',
  scriptImplementation: 'Usually an expression that is computed here; the other is for programs outside.',
  businessRuleImplementation: 'Usually a decision table; the other is for programs outside.',
  scriptExpression: 'What is computed when the step is reached.',
  resultVariable: 'The name under which the case keeps the result.',
  decisionId: 'What “Decision” writes. Better chosen there.',
  bindingType: 'Which version is used: usually the newest that is published.',
  targetProcessId: 'What “Process” writes. Better chosen there.',
  propagateAllParentVariables: 'Whether the called process sees all values of the case; otherwise only the inputs below.',
  propagateAllChildVariables: 'Whether all values of the called process come back; otherwise only the outputs below.',
  messageRef: 'Which message: one that the drawing has already, or a new one.',
  messageName: 'The same name as in the action of the procedure sheet, or as the other system sends it.',
  messageSubscriptionCorrelationKey: 'By what the message finds the case, usually case_no.',
  signalRef: 'Which signal: one that the drawing has already, or a new one.',
  signalName: 'All cases that wait for this signal hear it.',
  escalationRef: 'Which escalation: one that the drawing has already, or a new one.',
  escalationName: 'What it is called in the drawing.',
  escalationCode: 'By this the event that catches it recognises it.',
  errorRef: 'Which error: one that the drawing has already, or a new one.',
  errorName: 'What it is called in the drawing.',
  errorCode: 'By this the event that catches it recognises it.',
  linkName: 'The jump goes to the catching link with the same name.',
  timerEventDefinitionType: 'A point in time, a span, or something that comes again. For limits in working days choose a point in time.',
  timerEventDefinitionValue: 'For example a span: P5D; a point in time: =add workdays(today(), 5)',
  condition: 'The event happens as soon as this becomes true.',
  variableNames: 'Only when one of these changes is it asked again; empty: at each change.',
  variableEvents: 'Whether it is asked when a value is new, or when it changes.',
  'variableEvents-create': 'When the value comes for the first time.',
  'variableEvents-update': 'When the value changes.',
  adHocOutputCollection: 'The list in which the results of the steps are collected.',
  adHocOutputElement: 'What each step adds to the list of results.',
  adHocImplementation: 'Usually by the drawing itself; the other is for programs outside.',
  'activeElements-activeElementsCollection': 'The ids of the steps that begin at once, as a list.',
  completionCondition: 'Asked after each step: when it is true the sub-process ends.',
  cancelRemainingInstances: 'What is still open then ends too.',
  waitForCompletion: 'Whether the case waits until everything is undone.',
  activityRef: 'Which step is undone; empty: all of them.',
};

/** A part of a list: `Activity_1-input-0-target` is asked for as `input-target`. */
const PART = /-(input|output|header|extensionProperty)-\d+-(target|source|key|name|value)$/;

function entryHelp(element, id) {
  const part = PART.exec(id);
  const sentence = ENTRIES[part ? `${part[1]}-${part[2]}` : id];
  return sentence && words(sentence);
}

/** For the panel's configuration: `any` is asked for each entry that brings no sentence of its own (`build.mjs`). */
export const descriptions = { any: entryHelp };
