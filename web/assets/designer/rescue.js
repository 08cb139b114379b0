/** Two moments in which work could be lost: somebody else saved between, and a crash left something that was never saved. */
import { postJson } from '../lib/http.js';
import { showComparison } from './compare.js';
import { dialog, dropNote, node, note } from './dom.js';
import { clockTime, words } from './words.js';

/** Somebody saved between: show who, offer the comparison, and let this person choose. */
export function conflict(page, answer) {
  const who = answer.by || words('somebody else');
  const when = answer.at ? clockTime(new Date(answer.at)) : '';
  const theirs = answer.files;
  const mine = () => {
    page.saving.rebase(answer.revision, theirs);
    return page.save();
  };
  const take = async () => {
    page.saving.rebase(answer.revision, theirs);
    await page.replaceAll(theirs);
    page.saving.discard(Object.keys(theirs));
    page.showState(words('The version of {name} is open', { name: who }), 'good');
  };
  note('conflict', words('{name} saved this draft at {time}. Nothing of yours is lost: compare, then choose.', { name: who, time: when }), {
    kind: 'error',
    closable: false,
    actions: [
      [words('Compare'), async () => {
        await page.collect();
        const answered = await showComparison(page.modeler, theirs, page.book.files, [words('the version of {name}', { name: who }), words('mine')], [
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
    page.saving.touched = false;
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

