/**
 * Several people on one step: a mode and its terms chosen from lists, written as a multi-instance that calls the step once per
 * person and collects the votes, the way the delivered countersign sub-process does; and the flows after it, which ask how it went.
 *
 * The vote of each person must not overwrite that of another, so the outcome goes into a variable of the instance (an input
 * mapping makes it local). The completion condition sees all votes so far.
 */
import { h } from '@bpmn-io/properties-panel/preact';

import { words } from '../words.js';
import { assign, fields } from './assignment.js';
import { choiceEntry, feelEntry, textEntry, viewEntry } from './entries.js';
import { readOutcomes, writeOutcomes } from './outcomes.js';
import { carrier, Changes, extension, propertiesOf } from './properties.js';
import { drawResult, flowsAfter, WAY } from './signing_result.js';
import { MODES, read, sameButForButtons, write } from './signing_terms.js';

const SIGNER = 'signer';
const VOTE = 'vote';
/** The mode of any other repetition that somebody drew. */
const OTHER = 'other';

const SHARES = ['1/2', '3/5', '2/3', '3/4', '4/5'];
const LATIN = { '1/2': 'Half', '3/5': 'Three fifths', '2/3': 'Two thirds', '3/4': 'Three quarters', '4/5': 'Four fifths' };

/** Buttons for voting, where the step has none to choose between. */
const BALLOT = [
  { value: 'agree', label: 'Agree' },
  { value: 'oppose', label: 'Oppose', opinion: true },
  { value: 'abstain', label: 'Abstain' },
];

/** Which button agrees and which opposes: by their usual values, else the first and the last. */
function sides(list) {
  const named = (names) => list.find((each) => names.includes(each.value))?.value;
  return {
    agree: named(['agree', 'approve', 'pass', 'accept']) ?? list[0]?.value ?? 'agree',
    oppose: named(['oppose', 'reject', 'refuse', 'decline']) ?? list.at(-1)?.value ?? 'oppose',
  };
}

/** What the panel noted at the step when it wrote it, or null: in files from before there was a mark, or from elsewhere. */
const markOf = (given) => (given.signing ? { mode: given.signing, agree: given['signing.agree'], oppose: given['signing.oppose'] } : null);
const UNMARKED = { signing: '', 'signing.agree': '', 'signing.oppose': '' };

/** The choices that stand in the model; `{mode: 'other'}` for a repetition that is none of ours, null for none. */
export function readSigning(bo) {
  const loop = bo.loopCharacteristics;
  if (!loop) {
    return null;
  }
  const about = extension(loop, 'zeebe:LoopCharacteristics');
  const given = propertiesOf(bo);
  const choices =
    about?.inputElement &&
    about.outputCollection &&
    read(
      {
        called: about.inputCollection,
        ends: loop.completionCondition?.body,
        sequential: loop.isSequential,
        votes: about.outputCollection,
        vote: given['outcome.variable'] || 'outcome',
        signer: about.inputElement,
      },
      sides(readOutcomes(given)),
      flowsAfter(bo).map((each) => each.conditionExpression?.body ?? ''),
      markOf(given),
    );
  return choices || { mode: OTHER };
}

function remove(element, get) {
  const bo = carrier(element);
  const changes = new Changes(get, element);
  const signer = extension(bo.loopCharacteristics, 'zeebe:LoopCharacteristics')?.inputElement;
  changes.update(bo, { loopCharacteristics: undefined });
  changes.properties(UNMARKED);
  if (propertiesOf(bo)['outcome.variable'] === VOTE) {
    changes.properties({ 'outcome.variable': '' }).input(VOTE, null);
  }
  if (signer && extension(bo, 'zeebe:AssignmentDefinition')?.assignee === `=${signer}`) {
    assign(changes, null);
  }
  changes.apply();
}

/**
 * Writes all of it, and the flows after it that asked for what was written before, as one step of undo. `list` are the buttons that the
 * step is to have from now on; without it those it has, or those of a ballot where there is nothing to choose between.
 */
function put(element, { get, book }, part, list = null) {
  const bo = carrier(element);
  const now = readSigning(bo);
  const known = now && now.mode !== OTHER ? now : null;
  const given = propertiesOf(bo);
  const outcomes = list ?? readOutcomes(given);
  // One button alone is no vote.
  const votable = Boolean(list) || outcomes.length > 1;
  const buttons = votable ? outcomes : BALLOT.map((each) => ({ ...each, label: words(each.label) }));
  const about = known && extension(bo.loopCharacteristics, 'zeebe:LoopCharacteristics');
  const first = book.list('groups')[0]?.id;
  const choices = {
    members: first ? `people("${first}")` : '[]',
    recused: '',
    present: '',
    quorum: '',
    of: 'due',
    votes: `${bo.id.replace(/\W/g, '_')}_votes`,
    vote: VOTE,
    signer: SIGNER,
    ...known,
    ...part,
  };
  const usual = sides(buttons);
  for (const side of ['agree', 'oppose']) {
    if (!buttons.some((each) => each.value === choices[side])) {
      choices[side] = usual[side];
    }
  }
  const terms = write(choices);
  const changes = new Changes(get, element);
  const loop = changes.make('bpmn:MultiInstanceLoopCharacteristics', { isSequential: terms.sequential }, bo);
  const made = changes.make('zeebe:LoopCharacteristics', {
    inputCollection: terms.called,
    inputElement: choices.signer,
    outputCollection: choices.votes,
    // What somebody added to a vote (a reason) stays with it.
    outputElement: about?.outputElement?.includes(`${choices.vote}: ${choices.vote}`) ? about.outputElement : terms.collected,
  });
  loop.extensionElements = changes.make('bpmn:ExtensionElements', { values: [made] }, loop);
  made.$parent = loop.extensionElements;
  if (terms.ends) {
    loop.completionCondition = changes.make('bpmn:FormalExpression', { body: terms.ends }, loop);
  }
  changes.update(bo, { loopCharacteristics: loop });
  if (known) {
    const before = write(known);
    for (const flow of flowsAfter(bo).filter((each) => each.conditionExpression)) {
      for (const which of ['passed', 'unmet']) {
        if (asks(flow, which, before[which]) && terms[which] !== flow.conditionExpression.body) {
          changes.update(flow.conditionExpression, { body: terms[which] });
        }
      }
    }
  }
  const mark = { signing: choices.mode, 'signing.agree': choices.agree, 'signing.oppose': choices.oppose };
  changes.properties({ ...(votable && !list ? {} : writeOutcomes(buttons)), ...mark, 'outcome.variable': choices.vote }).input(choices.vote, '=null');
  assign(changes, { assignee: `=${choices.signer}` });
  changes.apply();
}

/** Whether a flow is the one for `way`: it asks for just that, or was drawn for it and still does but for the names of buttons. */
function asks(flow, way, text) {
  const body = flow.conditionExpression?.body;
  return body !== undefined && (body === text || (propertiesOf(flow)[WAY] === way && sameButForButtons(body, text)));
}

/**
 * The buttons of a step where several vote: what counts the votes follows them. `renamed` is `[before, after]` when one got another value.
 * Gives whether it did so; otherwise nobody votes here.
 */
export function putButtons(element, tools, list, renamed) {
  const now = readSigning(carrier(element));
  if (!now || now.mode === OTHER) {
    return false;
  }
  const part = Object.fromEntries(['agree', 'oppose'].map((side) => [side, renamed && now[side] === renamed[0] ? renamed[1] : now[side]]));
  put(element, tools, part, list);
  return true;
}

const shareName = (share) => {
  const [part, whole] = share.split('/').map(Number);
  return LATIN[share] ? words(LATIN[share]) : `${Math.round((part / whole) * 10000) / 100}%`;
};

/** “2/3” or “60” (per cent) as a fraction; null for anything else. */
export function shareOf(text) {
  const match = /^\s*(\d{1,4})\s*\/\s*(\d{1,4})\s*$/.exec(text ?? '') ?? /^\s*(\d{1,3})\s*%?\s*$/.exec(text ?? '')?.concat('100');
  const [part, whole] = match ? match.slice(1).map(Number) : [0, 0];
  return part > 0 && part <= whole ? `${part}/${whole}` : null;
}

/** A share chosen from the usual ones, or written. */
function shareEntries(id, label, help, value, set, none) {
  const usual = () => [...SHARES, ...(value && !SHARES.includes(value) ? [value] : [])].map((each) => ({ id: each, label: shareName(each) }));
  const entries = [choiceEntry({ id, label: words(label), help: words(help), options: usual, get: () => value, set: (text) => (text || none) && set(text), none: none ?? words('(choose)') })];
  if (value) {
    entries.push(
      textEntry({
        id: `${id}-own`,
        label: words('Or written, as 2/3 or 60%'),
        help: words('Where none of the usual ones fits.'),
        get: () => value,
        set: (text) => shareOf(text) && set(shareOf(text)),
        validate: (text) => (shareOf(text) ? undefined : words('A part like 2/3, or a number above 0 and up to 100.')),
      }),
    );
  }
  return entries;
}

export function signingEntries(element, tools) {
  const bo = carrier(element);
  const now = readSigning(bo);
  const set = (part) => put(element, tools, part);
  const entries = [
    choiceEntry({
      id: 'banjie-signing',
      label: words('Several people'),
      help: words('Each of them gets the step; their votes are collected in a list.'),
      options: () => [
        ...MODES.map((each) => ({ id: each.id, label: words(each.label) })),
        ...(now?.mode === OTHER ? [{ id: OTHER, label: words('Repeated in another way (see “Multi-instance”)') }] : []),
      ],
      get: () => now?.mode ?? '',
      set: (id) => (id ? id !== OTHER && set({ mode: id, share: undefined }) : now && remove(element, tools.get)),
      none: words('One person does it'),
    }),
  ];
  if (!now || now.mode === OTHER) {
    return entries;
  }
  const named = fields(tools.scope, bo);
  const groups = tools.book.list('groups').map((each) => ({ id: `people("${each.id}")`, label: each.label }));
  const lists = [...groups, ...named.map((each) => ({ ...each, label: words('From the form: {field}', { field: each.label }) }))];
  const listed = lists.some((each) => each.id === now.members);
  entries.push(
    choiceEntry({
      id: 'banjie-signing-members',
      label: words('Who they are'),
      help: words('Each of them gets the step when it begins.'),
      options: () => lists,
      get: () => (listed ? now.members : `=${now.members}`),
      set: (text) => text && set({ members: text.startsWith('=') ? text.slice(1) || '[]' : text }),
      computed: true,
      none: words('(choose)'),
    }),
  );
  if (!listed) {
    entries.push(feelEntry({ id: 'banjie-signing-people', label: words('List of people'), help: words('For example a field of a form in which the members were chosen.'), feel: 'required', get: () => `=${now.members}`, set: (text) => set({ members: (text ?? '').replace(/^=\s*/, '') || '[]' }), variables: () => tools.scope.at(bo) }));
  }
  const field = (key, label, help) =>
    choiceEntry({ id: `banjie-signing-${key}`, label: words(label), help: words(help), options: () => named, get: () => now[key], set: (name) => set({ [key]: name ?? '' }), none: words('(nobody)') });
  entries.push(field('recused', 'Who is recused', 'A field with the people who keep away. They are not asked, and do not count among those who are due.'));
  entries.push(field('present', 'Who is there', 'A field with the people who signed in. Empty: all who are due.'));
  if (now.present || now.quorum || now.recused) {
    entries.push(...shareEntries('banjie-signing-quorum', 'Quorum', 'So many of those who are due must be there; otherwise nobody is asked.', now.quorum, (quorum) => set({ quorum }), words('(no quorum)')));
  }
  const buttons = () => readOutcomes(propertiesOf(bo)).map((each) => ({ id: each.value, label: each.label }));
  const side = (key, label, help) => choiceEntry({ id: `banjie-signing-${key}`, label: words(label), help: words(help), options: buttons, get: () => now[key], set: (value) => value && set({ [key]: value }), none: words('(choose)') });
  entries.push(side('agree', 'Button that agrees', 'Counted as a vote for it.'), side('oppose', 'Button that opposes', 'Counted as a vote against it. Any other button is an abstention.'));
  const mode = MODES.find((each) => each.id === now.mode);
  if (mode.share) {
    entries.push(...shareEntries('banjie-signing-share', 'Share', mode.id === 'ballot' ? 'More than this share must agree.' : 'At least this share must agree.', now.share, (share) => set({ share })));
  }
  if (now.present && mode.passed.includes('$base')) {
    entries.push(
      choiceEntry({
        id: 'banjie-signing-of',
        label: words('Counted by'),
        help: words('What the share is a share of.'),
        options: () => [
          { id: 'due', label: words('All who are due, without the recused') },
          { id: 'called', label: words('Those who are there') },
        ],
        get: () => now.of,
        set: (of) => of && set({ of }),
      }),
    );
  }
  return [...entries, ...resultEntries(element, tools, now)];
}

/** What follows: which flow is taken when it passes, or a gateway drawn for it. */
function resultEntries(element, { get }, now) {
  const bo = carrier(element);
  const terms = write(now);
  const flows = flowsAfter(bo);
  if (!flows.length) {
    return [
      viewEntry({
        id: 'banjie-signing-draw',
        view: () =>
          h(
            'div',
            { class: 'bio-properties-panel-entry' },
            h('p', { class: 'bio-properties-panel-description' }, words('The votes say nothing yet about where the case goes.')),
            h('button', { type: 'button', class: 'btn btn-sm', 'data-signing-draw': '', onClick: () => drawResult(get, element, terms, { unmet: Boolean(now.quorum || now.recused) }) }, words('Draw what follows: passed or not')),
          ),
      }),
    ];
  }
  const options = () => flows.map((flow) => ({ id: flow.id, label: flow.name || flow.targetRef?.name || flow.id }));
  const taken = (way, text) => flows.find((flow) => asks(flow, way, text));
  const choose = (way, text) => (id) => {
    const changes = new Changes(get, element);
    const drawn = (each) => get('elementRegistry').get(each.id);
    const before = taken(way, text);
    const flow = flows.find((each) => each.id === id);
    if (before && before !== flow) {
      changes.update(before, { conditionExpression: undefined }, drawn(before)).properties({ [WAY]: '' }, before);
    }
    if (flow) {
      changes.update(flow, { conditionExpression: changes.make('bpmn:FormalExpression', { body: text }, flow) }, drawn(flow)).properties({ [WAY]: way }, flow);
      const gateway = flow.sourceRef;
      const rest = flows.filter((each) => each !== flow && (each === before || !each.conditionExpression));
      // The one flow without a condition is what happens otherwise.
      changes.update(gateway, { default: rest.length === 1 ? rest[0] : gateway.default === flow ? undefined : gateway.default }, drawn(gateway));
    }
    changes.apply();
  };
  const entry = (key, label, help) =>
    choiceEntry({ id: `banjie-signing-${key}`, label: words(label), help: words(help), options, get: () => taken(key, terms[key])?.id ?? '', set: choose(key, terms[key]), none: words('(choose)') });
  return [
    entry('passed', 'When it passes', 'The way out of the gateway that is taken then; the others are for when it does not.'),
    ...(now.quorum || now.recused ? [entry('unmet', 'When nobody could be asked', 'Without a quorum, or when all are recused. The case must have a way on here too.')] : []),
  ];
}
