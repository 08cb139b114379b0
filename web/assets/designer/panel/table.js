/**
 * Our attributes (processes/README.md) as a table: which element has which, in which group, chosen from what.
 *
 * kind: `choice` from a list of the book (`from`) · `ids` several of a list, with commas · `feel` always an expression ·
 * `told` people and groups, several · `mixed` text or an expression · `text` plain text · `flag` true or absent · `number`.
 * `expression: true` lets a choice be computed instead. `needs`: shown only when that attribute is set.
 */
const ACTIVITY = ['bpmn:Activity'];
const TIMED = ['bpmn:UserTask', 'bpmn:SubProcess', 'bpmn:CallActivity'];
const NODE = ['bpmn:Activity', 'bpmn:Event', 'bpmn:Gateway'];
const PROCESS = ['bpmn:Process'];

/** Kinds of a pause (processes/README.md). */
const PAUSES = [
  ['correction', 'Corrections'],
  ['consultation', 'Third parties are heard'],
  ['expert_review', 'Expert review'],
  ['hearing', 'Hearing'],
  ['inspection', 'Inspection, test, appraisal'],
  ['other_agency', 'Another agency decides first'],
  ['suspension', 'Suspension'],
];

export const GROUPS = [
  { id: 'limit', label: 'Deadline of this step', help: 'How long this step may take. Days are never drawn here, only the rule: the days stand in the table of deadline rules.' },
  { id: 'clocks', label: 'Deadlines of the case', help: 'Clocks that run over several steps: start one here, stop it where the limit is kept.' },
  { id: 'case', label: 'Status, notice and documents', help: 'What the case shows, who is told and which document is offered for printing.' },
  { id: 'history', label: 'What is kept', help: 'What of each case is kept as history, and how long.' },
];

export const FIELDS = [
  { name: 'deadline', group: 'limit', on: TIMED, label: 'Deadline rule', kind: 'choice', from: 'rules', expression: true, help: 'The step turns yellow and red by this rule.' },
  { name: 'deadline.start', group: 'limit', on: TIMED, needs: 'deadline', label: 'Counted from', kind: 'feel', help: 'Empty: from the moment the step begins. For example: received_at' },
  { name: 'ladder', group: 'limit', on: TIMED, needs: 'deadline', label: 'Ladder of reminders', kind: 'choice', from: 'ladders', expression: true, help: 'Who is reminded when, and who takes over. Empty: that of the rule or the procedure.' },
  { name: 'extendable', group: 'limit', on: ['bpmn:UserTask'], label: 'Extension may be asked for', kind: 'choice', from: 'rules', expression: true, help: 'The rule whose limit can be extended from this step.' },

  { name: 'clock.start', group: 'clocks', on: NODE, label: 'Starts the limit', kind: 'choice', from: 'rules', expression: true, help: 'Begins when the step begins, and runs until it is stopped.' },
  { name: 'clock.start.from', group: 'clocks', on: NODE, needs: 'clock.start', label: 'Counted from', kind: 'feel', help: 'Empty: from the moment the step begins. For example: received_at' },
  { name: 'clock.stop', group: 'clocks', on: NODE, label: 'Stops the limit', kind: 'choice', from: 'rules', expression: true, extra: [['*', 'All limits of the case']], help: 'Happens when the step is completed.' },
  { name: 'clock.pause.kind', group: 'clocks', on: ACTIVITY, label: 'Pauses the other limits', kind: 'choice', options: PAUSES, help: 'While this step lasts the other limits of the case rest.' },
  { name: 'clock.pause', group: 'clocks', on: ACTIVITY, label: 'Pauses the other limits, because', kind: 'mixed', help: 'In your own words, where no kind of pause fits. The limits go on when the step is done.' },
  { name: 'clock.pause.reason', group: 'clocks', on: ACTIVITY, needs: 'clock.pause.kind', label: 'Reason of the pause', kind: 'mixed', help: 'Stands in the ledger of limits. Empty: the kind of the pause.' },
  { name: 'clock.pause.document', group: 'clocks', on: ACTIVITY, needs: 'clock.pause.kind', label: 'Number of the document it rests on', kind: 'mixed', help: 'For example of the notice to correct; usually a field of a form.' },
  { name: 'clock.pause.until', group: 'clocks', on: ACTIVITY, needs: 'clock.pause.kind', label: 'The pause lasts', kind: 'choice', options: [['step', 'Until this step is done (usual)'], ['resume', 'Until it is ended by another step or by hand']], help: 'For what goes on after the step is done, choose the second.' },
  { name: 'clock.resume', group: 'clocks', on: NODE, label: 'Ends the pause', kind: 'choice', options: [...PAUSES, ['*', 'All pauses']], help: 'Happens when the step is completed.' },
  { name: 'clock.restart', group: 'clocks', on: NODE, label: 'Begins the limit anew', kind: 'choice', from: 'rules', expression: true, help: 'Happens when the step is completed: the old limit stops, a new one starts.' },
  { name: 'clock.extend', group: 'clocks', on: NODE, label: 'Extends the limit', kind: 'choice', from: 'rules', expression: true, help: 'Happens when the step begins.' },
  { name: 'clock.extend.by', group: 'clocks', on: NODE, needs: 'clock.extend', label: 'By how much', kind: 'mixed', help: 'In the unit of the rule. Empty: as much as the rule allows.' },
  { name: 'clock.extend.reason', group: 'clocks', on: NODE, needs: 'clock.extend', label: 'Reason of the extension', kind: 'mixed', help: 'Stands in the ledger of limits and on the case.' },

  { name: 'status', group: 'case', on: NODE, label: 'Status of the case', kind: 'mixed', suggest: 'statuses', help: 'Shown in lists and on the case from here on.' },
  { name: 'result', group: 'case', on: NODE, label: 'Result of the case', kind: 'mixed', help: 'Usually at an end: how the case was closed.' },
  { name: 'accepted', group: 'case', on: NODE, label: 'The case counts as accepted when this is done', kind: 'flag', help: 'The time of acceptance on the register; at one step only.' },
  { name: 'notify', group: 'case', on: NODE, label: 'Tells', kind: 'told', help: 'Who gets a notice when the step begins.' },
  { name: 'notify.text', group: 'case', on: NODE, needs: 'notify', label: 'What is said', kind: 'mixed', help: 'One sentence, as it is to be read by the person. With values of the case it is an expression (fx), for example: "Case " + case_no + " is signed"' },
  { name: 'document', group: 'case', on: NODE, label: 'Document offered for printing', kind: 'choice', from: 'documents', expression: true, help: 'Stands on the page “Documents” of the case from here on.' },

  { name: 'history', group: 'history', on: PROCESS, label: 'History', kind: 'choice', options: [['none', 'Nothing'], ['activity', 'Each step (usual)'], ['full', 'Each step and each change of a value']], help: 'What stands in the history of a case besides the opinions and decisions, which are always kept.' },
  { name: 'historyDays', group: 'history', on: PROCESS, label: 'Days after closing until it may be removed', kind: 'text', pattern: /^\d*$/, help: 'Empty: kept for ever.' },
];
