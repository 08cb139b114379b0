/** Two moments in which work could be lost: somebody else saved between, and a crash left something that was never saved. */
import { postJson } from '../lib/http.js';
import { showComparison } from './compare.js';
import { dialog, dropNote, node, note } from './dom.js';
import { clockTime, words } from './words.js';

/**
 * Somebody saved between: show who, offer the comparison, and let this person choose. “Mine” are the files that this person changed;
 * of the others what is saved stays, so that keeping one's own takes nothing back that the other did elsewhere.
 */
export function conflict(page, answer) {
  const who = answer.by || words('somebody else');
  const when = answer.at ? clockTime(new Date(answer.at)) : '';
  const theirs = answer.files;
  const { saved } = page.saving;
  const merged = () => {
    const kept = Object.entries({ ...theirs, ...page.saving.changes() });
    return Object.fromEntries(kept.filter(([, text]) => text !== null));
  };
  const before = page.book.files;
  const both = [...new Set([...Object.keys(theirs), ...Object.keys(saved)])].filter((name) => theirs[name] !== saved[name] && before[name] !== saved[name]);
  const mine = async () => {
    await page.collect();
    const files = merged();
    page.saving.rebase(answer.revision, theirs);
    await page.adopt(files);
    await page.save();
  };
  const take = async () => {
    page.saving.rebase(answer.revision, theirs);
    await page.replaceAll(theirs);
    page.saving.discard(Object.keys(theirs));
    dropNote('newer');
    page.showState(words('The version of {name} is open', { name: who }), 'good');
  };
  note('conflict', words('{name} saved this draft at {time}. Nothing of yours is lost: compare, then choose.', { name: who, time: when }), {
    kind: 'error',
    closable: false,
    list: [both.length ? words('Both of you changed: {files}', { files: both.join('、') }) : words('You changed different files: “Keep mine” keeps what either of you did.')],
    actions: [
      [words('Compare'), async () => {
        await page.collect();
        const answered = await showComparison(page.modeler, theirs, merged(), [words('the version of {name}', { name: who }), words('mine')], [
          ['', words('Decide later')],
          ['theirs', words('Take theirs')],
          ['mine', words('Keep mine'), 'btn-primary'],
        ]);
        if (answered) {
          dropNote('conflict');
          await (answered === 'mine' ? mine() : take());
        }
        return 'stay';
      }, 'btn-primary'],
      [words('Keep mine'), mine],
      [words('Take theirs'), take],
    ],
  });
}

/** The draft takes no changes any more; what was changed here since is kept, and offered when it is open again. */
export function closed(reason, address) {
  note('closed', reason, {
    kind: 'error',
    list: [words('What you changed since is kept, and is offered here again when the draft is open. Until then it can be exported or downloaded.')],
    actions: [[words('To the page of the draft'), () => location.assign(address)]],
  });
}

/** After a crash: what was kept automatically, to be restored, compared or discarded. */
export function offerRecovery(page) {
  const found = page.saving.recoverable(page.data.autosaves);
  const names = Object.keys(found);
  if (!names.length || !page.editable) {
    return;
  }
  const at = names.map((name) => found[name].at).sort().at(-1);
  const recovered = () => ({ ...page.book.files, ...Object.fromEntries(names.map((name) => [name, found[name].content])) });
  const restore = async () => {
    await page.replaceAll(recovered());
    page.saving.changed();
  };
  const forget = async () => {
    page.saving.discard(names);
    await postJson(page.data.urls.autosave, {}, { method: 'DELETE' });
  };
  note('recovery', words('There is work of {time} that was kept automatically but never saved.', { time: clockTime(new Date(at)) }), {
    closable: false,
    actions: [
      [words('Restore the work of {time}', { time: clockTime(new Date(at)) }), restore, 'btn-primary'],
      [words('Compare'), async () => {
        const answered = await showComparison(page.modeler, page.book.files, recovered(), [words('what is saved'), words('what was kept')], [
          ['', words('Decide later')],
          ['restore', words('Restore'), 'btn-primary'],
        ]);
        if (answered) {
          dropNote('recovery');
          await restore();
        }
        return 'stay';
      }],
      [words('Discard'), async () => {
        const sure = await dialog(words('Discard this work?'), [node('p', { text: words('It cannot be brought back.') })], [['', words('Cancel')], ['yes', words('Discard'), 'btn-danger']]);
        return sure ? forget() : 'stay';
      }],
    ],
  });
}

