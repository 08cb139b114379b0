/**
 * What is written for several people on one step (`signing_terms.json`), filled in and read back. A model is only read as a mode
 * when writing that mode with the choices found gives the very same texts; so nothing drawn by hand is ever taken for something else.
 * The step also carries a mark of its own (`signing`, `signing.agree`, `signing.oppose`): which buttons are counted does not depend on words.
 */
import TERMS from './signing_terms.json';

export const MODES = TERMS.modes;

const NAME = '[A-Za-z_\\u4e00-\\u9fff][\\w\\u4e00-\\u9fff.]*';

/** `$name` replaced until nothing is left to replace. */
function filled(text, values) {
  let result = text;
  for (let round = 0; round < 6; round += 1) {
    result = result.replace(/\$(\w+)/g, (_, name) => values[name]);
  }
  return result;
}

const fraction = (text) => /^(\d+)\/(\d+)$/.exec(text ?? '')?.slice(1) ?? ['0', '1'];

/**
 * `{mode, members, recused, present, quorum: 'a/b', of: 'due'|'called', share: 'a/b', votes, vote, signer, agree, oppose}` as
 * `{called, ends, passed, unmet, collected, sequential}`.
 */
export function write(choices) {
  const mode = MODES.find((each) => each.id === choices.mode);
  const [share, of] = fraction(choices.share || mode.share || '1/1');
  const [quorum, quorumOf] = fraction(choices.quorum);
  const cast = (button) => TERMS.cast.replace('$button', button);
  const values = {
    members: choices.members,
    recused: choices.recused,
    present: TERMS.present[choices.present ? 'list' : 'plain'].replace('$present', choices.present),
    due: TERMS.due[choices.recused ? 'recused' : 'plain'],
    quorum,
    quorumOf,
    votes: choices.votes,
    vote: choices.vote,
    signer: choices.signer,
    share,
    of,
    rest: String(Number(of) - Number(share)),
    agreed: cast(choices.agree),
    opposed: cast(choices.oppose),
    total: TERMS.total[choices.of === 'due' && choices.present ? 'due' : 'called'],
    base: TERMS.base[choices.of],
  };
  return {
    called: filled(TERMS.called[choices.present || choices.quorum ? 'quorum' : 'plain'], values),
    ends: mode.ends && filled(mode.ends, values),
    passed: filled(mode.passed, values),
    unmet: filled(TERMS.unmet, values),
    collected: filled(TERMS.collected, values),
    sequential: Boolean(mode.sequential),
  };
}

const DUE = `(?<members>.+?)(?:\\[not\\(list contains\\(flatten\\(\\[(?<recused>${NAME})\\]\\), item\\)\\)\\])?`;
const PLAIN = new RegExp(`^=\\s*${DUE}$`);
const COUNTED = new RegExp(
  `^=\\{due: ${DUE}, present: (?:due|(?<present>${NAME})\\[list contains\\(due, item\\)\\]), called: if count\\(due\\) > 0 and count\\(present\\) \\* (?<of>\\d+) >= (?<quorum>\\d+) \\* count\\(due\\) then present else \\[\\]\\}\\.called$`,
);

/** Who is called: `{members, recused, present, quorum}`; an expression of its own is all `members`. */
function readCalled(text) {
  const counted = COUNTED.exec(text)?.groups;
  if (counted) {
    const quorum = counted.quorum === '0' ? '' : `${counted.quorum}/${counted.of}`;
    return { members: counted.members, recused: counted.recused ?? '', present: counted.present ?? '', quorum };
  }
  const plain = PLAIN.exec(text)?.groups ?? { members: text.replace(/^=/, '') };
  return { members: plain.members, recused: plain.recused ?? '', present: '', quorum: '' };
}

/** The share that stands in a condition of `mode`. */
const readShare = (mode, ends) => {
  const found = mode.share && / \* (\d+) >=? (\d+) \* /.exec(ends);
  return found ? `${found[2]}/${found[1]}` : mode.share;
};

/** The buttons that a condition counts, in the order in which it names them. */
const counted = (texts) => [...new Set(texts.flatMap((text) => [...(text ?? '').matchAll(/\[item\.[^\s=\]]+ = "([^"]*)"\]/g)].map((match) => match[1])))];

/**
 * Which buttons agree and oppose in what is written: as the step itself says (`mark`), else by their usual values, else by what
 * stands in the texts, either way round.
 */
function sidesOf(mark, usual, texts) {
  const [first, second] = counted(texts);
  const found = [mark?.agree && { agree: mark.agree, oppose: mark.oppose ?? usual.oppose }, usual];
  if (first !== undefined) {
    found.push({ ...usual, agree: first }, { ...usual, oppose: first });
  }
  if (second !== undefined) {
    found.push({ agree: first, oppose: second }, { agree: second, oppose: first });
  }
  return found.filter(Boolean);
}

/**
 * The choices of what is written, or null. `mark` is what the panel noted at the step (`{mode, agree, oppose}`) or null; `usual` are the
 * buttons `{agree, oppose}` by their values; `after` the conditions of the flows that follow: what the early end does not tell (counted by
 * who is due, or by who is there) they do.
 */
export function read({ called, ends, sequential, votes, vote, signer }, usual, after = [], mark = null) {
  const who = readCalled((called ?? '').trim());
  const fitting = [];
  const modes = [...MODES].sort((a, b) => Number(b.id === mark?.mode) - Number(a.id === mark?.mode));
  for (const sides of sidesOf(mark, usual, [ends, ...after])) {
    for (const mode of modes) {
      for (const of of ['due', 'called']) {
        const choices = { ...who, ...sides, mode: mode.id, of, share: readShare(mode, ends ?? ''), votes, vote, signer };
        const again = write(choices);
        if (again.called === (called ?? '').trim() && (again.ends ?? '') === (ends ?? '').trim() && again.sequential === Boolean(sequential)) {
          fitting.push({ choices, passed: again.passed });
        }
      }
    }
  }
  return (fitting.find((each) => after.includes(each.passed)) ?? fitting[0])?.choices ?? null;
}

/** Whether two texts are the same but for the names of buttons in them. */
export function sameButForButtons(one, other) {
  const plain = (text) => (text ?? '').replace(/ = "[^"]*"\]/g, ' = ""]');
  return plain(one) === plain(other);
}
