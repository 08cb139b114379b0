/** The patterns, in the order of the menu. Roles, rules and days in them are examples: they are changed after inserting. */
import approvalChain from './approval_chain.bpmn';
import ballot from './ballot.bpmn';
import callBack from './call_back.bpmn';
import correction from './correction.bpmn';
import countersign from './countersign.bpmn';
import escalation from './escalation.bpmn';
import expertDraw from './expert_draw.bpmn';
import expertDrawForm from './expert_draw.json';
import extension from './extension.bpmn';
import jointReview from './joint_review.bpmn';
import publicity from './publicity.bpmn';
import withdrawal from './withdrawal.bpmn';

export const SNIPPETS = [
  { id: 'approval_chain', label: 'Approval chain', help: 'Draft, section chief, vice director; each may return it.', text: approvalChain },
  { id: 'countersign', label: 'Countersign', help: 'Several sign at the same time; with one objection it is revised and sent again.', text: countersign },
  { id: 'ballot', label: 'Ballot', help: 'Everybody votes, the votes are counted, the majority decides.', text: ballot },
  { id: 'correction', label: 'Corrections', help: 'Asks the applicant for corrections by the shared process; without them the case ends.', text: correction },
  { id: 'publicity', label: 'Public notice and objections', help: 'Publishes, waits five working days, examines an objection that comes in.', text: publicity },
  { id: 'joint_review', label: 'Joint review with silent consent', help: 'Several agencies give an opinion; who does not answer in time has none.', text: jointReview },
  { id: 'extension', label: 'Extension', help: 'Beside the main path: an extension is asked for, decided, and the limit extended.', text: extension },
  { id: 'call_back', label: 'Call-back', help: 'Asks the applicant by telephone; who is not content is handled again.', text: callBack },
  { id: 'expert_draw', label: 'Draw of experts', help: 'Draws experts and lets each of them judge; two thirds decide.', text: expertDraw, form: expertDrawForm },
  { id: 'escalation', label: 'Escalation when overdue', help: 'Beside the main path: when the limit is over the supervisor gets a step.', text: escalation },
  { id: 'withdrawal', label: 'Withdrawal', help: 'At any time the applicant may withdraw: the limits stop, the case ends.', text: withdrawal },
];
