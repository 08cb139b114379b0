/** Two moments in which work could be lost: the draft was closed meanwhile, and a crash left something that was never saved. Two who save: `conflict.js`. */
import { postJson } from '../lib/http.js';
import { showComparison } from './compare.js';
import { dialog, dropNote, node, note } from './dom.js';
import { clockTime, words } from './words.js';

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

