/**
 * Several people on one step: a mode chosen from a list, written as a multi-instance that calls the step once per person and
 * collects the votes, the way the delivered countersign sub-process does.
 *
 * The vote of each person must not overwrite that of another, so the outcome goes into a variable of the instance (an input
 * mapping makes it local). The completion condition sees all votes so far.
 */
import { words } from '../words.js';
import { assign } from './assignment.js';
import { choiceEntry, feelEntry, textEntry } from './entries.js';
import { readOutcomes, writeOutcomes } from './outcomes.js';
import { carrier, Changes, extension, propertiesOf } from './properties.js';

const SIGNER = 'signer';
const VOTE = 'vote';

const cast = (votes, value) => `count(${votes}[item.${VOTE} = "${value}"])`;
const numbered = (share) => String(Math.round(share * 10000) / 10000);

/**
 * `condition` says when no more votes are needed; `read` recognises it. `agree` and `oppose` are values of the buttons.
 * For a ballot the counting ends when enough agree, or when so many oppose that it cannot be reached any more.
 */
export const MODES = [
  { id: 'all', label: 'Countersign: each of them must do it, all at the same time', condition: () => null },
  { id: 'sequence', label: 'In turn: one after the other', sequential: true, condition: () => null },
  { id: 'any', label: 'Any one: the first who does it is enough', condition: () => '=numberOfCompletedInstances >= 1', read: /^=\s*numberOfCompletedInstances >= 1$/ },
  {
    id: 'share',
    label: 'By share: ends when enough agree',
    share: 0.6,
    condition: ({ votes, agree, share }) => `=${cast(votes, agree)} >= ${numbered(share)} * numberOfInstances`,
    read: /^=\s*count\(\w+\[item\.vote = "(?<agree>[\w-]+)"\]\) >= (?<share>[\d.]+) \* numberOfInstances$/,
  },
  {
    id: 'ballot',
    label: 'Ballot: ends when the majority (or the share) is certain',
    share: 0.5,
    condition: ({ votes, agree, oppose, share }) =>
      `=${cast(votes, agree)} > ${numbered(share)} * numberOfInstances or ${cast(votes, oppose)} >= ${numbered(1 - share)} * numberOfInstances`,
    read: /^=\s*count\(\w+\[item\.vote = "(?<agree>[\w-]+)"\]\) > (?<share>[\d.]+) \* numberOfInstances or count\(\w+\[item\.vote = "(?<oppose>[\w-]+)"\]\) >= [\d.]+ \* numberOfInstances$/,
  },
  { id: 'veto', label: 'Veto: ends when one opposes', condition: ({ votes, oppose }) => `=${cast(votes, oppose)} > 0`, read: /^=\s*count\(\w+\[item\.vote = "(?<oppose>[\w-]+)"\]\) > 0$/ },
];
/** The mode of any other repetition that somebody drew. */
const OTHER = 'other';

export function readSigning(bo) {
  const loop = bo.loopCharacteristics;
  if (!loop) {
    return null;
  }
  const about = extension(loop, 'zeebe:LoopCharacteristics');
  const condition = loop.completionCondition?.body ?? '';
  for (const mode of MODES) {
    const match = mode.read ? mode.read.exec(condition.trim()) : !condition && Boolean(mode.sequential) === Boolean(loop.isSequential);
    if (match && about && (mode.read ? !loop.isSequential : true)) {
      return { mode, about, loop, share: match.groups?.share ? Number(match.groups.share) : mode.share };
    }
  }
  return { mode: { id: OTHER }, about, loop };
}

/** Buttons for voting, where the step has none. */
const BALLOT = [
  { value: 'agree', label: 'Agree' },
  { value: 'oppose', label: 'Oppose', opinion: true },
];

/** Which button agrees and which opposes: by their usual values, else the first and the last. */
function sides(list) {
  const named = (names) => list.find((each) => names.includes(each.value))?.value;
  return {
    agree: named(['agree', 'approve', 'pass', 'accept']) ?? list[0]?.value ?? 'agree',
    oppose: named(['oppose', 'reject', 'refuse', 'decline']) ?? list.at(-1)?.value ?? 'oppose',
  };
}

function write(element, { get }, modeId, { collection, share }) {
  const bo = carrier(element);
  const now = readSigning(bo);
  const changes = new Changes(get, element);
  if (!modeId) {
    changes.update(bo, { loopCharacteristics: undefined });
    if (propertiesOf(bo)['outcome.variable'] === VOTE) {
      changes.properties({ 'outcome.variable': '' }).input(VOTE, null);
    }
    if (extension(bo, 'zeebe:AssignmentDefinition')?.assignee === `=${SIGNER}`) {
      assign(changes, null);
    }
    changes.apply();
    return;
  }
  const mode = MODES.find((each) => each.id === modeId);
  const votes = now?.about?.outputCollection || `${bo.id.replace(/\W/g, '_')}_votes`;
  const known = readOutcomes(propertiesOf(bo));
  const buttons = known.length ? known : BALLOT.map((each) => ({ ...each, label: words(each.label) }));
  const body = mode.condition({ votes, share: share ?? mode.share, ...sides(buttons) });
  const loop = changes.make('bpmn:MultiInstanceLoopCharacteristics', { isSequential: Boolean(mode.sequential) }, bo);
  const about = changes.make('zeebe:LoopCharacteristics', {
    inputCollection: collection ?? now?.about?.inputCollection ?? '=',
    inputElement: SIGNER,
    outputCollection: votes,
    outputElement: `={voter: ${SIGNER}, ${VOTE}: ${VOTE}}`,
  });
  loop.extensionElements = changes.make('bpmn:ExtensionElements', { values: [about] }, loop);
  about.$parent = loop.extensionElements;
  if (body) {
    loop.completionCondition = changes.make('bpmn:FormalExpression', { body }, loop);
  }
  changes.update(bo, { loopCharacteristics: loop });
  changes.properties({ ...writeOutcomes(buttons), 'outcome.variable': VOTE }).input(VOTE, '=null');
  assign(changes, { assignee: `=${SIGNER}` });
  changes.apply();
}

export function signingEntries(element, tools) {
  const bo = carrier(element);
  const now = readSigning(bo);
  const options = () => [
    ...MODES.map((each) => ({ id: each.id, label: words(each.label) })),
    ...(readSigning(bo)?.mode.id === OTHER ? [{ id: OTHER, label: words('Repeated in another way (see “Multi-instance”)') }] : []),
  ];
  const entries = [
    choiceEntry({
      id: 'banjie-signing',
      label: words('Several people'),
      help: now?.about?.outputCollection
        ? words('Their votes stand in the list {list}. A flow after the step asks, for example: {example}', { list: now.about.outputCollection, example: `=${cast(now.about.outputCollection, sides(readOutcomes(propertiesOf(bo))).agree)} > 0` })
        : words('Each of them gets the step; their votes are collected in a list.'),
      options,
      get: () => readSigning(bo)?.mode.id ?? '',
      set: (id) => id !== OTHER && write(element, tools, id, { collection: now ? undefined : first(tools) }),
      none: words('One person does it'),
    }),
  ];
  if (!now || now.mode.id === OTHER || now.about?.inputElement !== SIGNER) {
    return entries;
  }
  const collection = () => readSigning(bo)?.about?.inputCollection ?? '';
  const setCollection = (value) => write(element, tools, now.mode.id, { collection: value, share: now.share });
  const group = () => /^=\s*people\("(.+)"\)$/.exec(collection())?.[1] ?? '';
  entries.push(
    choiceEntry({
      id: 'banjie-signing-group',
      label: words('Who they are'),
      options: () => tools.book.list('groups'),
      get: () => (collection() && !group() ? '=' : group()),
      set: (value) => setCollection(value.startsWith('=') ? '=' : value && `=people("${value}")`),
      computed: true,
      none: words('(choose)'),
    }),
  );
  if (!group()) {
    entries.push(feelEntry({ id: 'banjie-signing-people', label: words('List of people'), help: words('For example a field of a form in which the members were chosen.'), feel: 'required', get: collection, set: setCollection, variables: () => tools.scope.at(bo) }));
  }
  if (now.mode.share !== undefined) {
    entries.push(
      textEntry({
        id: 'banjie-signing-share',
        label: words('Share in per cent'),
        help: words('Of all who are called, not only of those who came.'),
        get: () => String(Math.round((readSigning(bo)?.share ?? 0) * 10000) / 100),
        set: (text) => Number(text) > 0 && Number(text) <= 100 && write(element, tools, now.mode.id, { share: Number(text) / 100 }),
        validate: (text) => (Number(text) > 0 && Number(text) <= 100 ? undefined : words('A number above 0 and up to 100.')),
      }),
    );
  }
  return entries;
}

const first = (tools) => {
  const group = tools.book.list('groups')[0]?.id;
  return group ? `=people("${group}")` : '=';
};
