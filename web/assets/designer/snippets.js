/**
 * Complete patterns to be put into a drawing: each is a BPMN file of its own in `snippets/`. Inserting one copies its elements
 * with new ids below what is there; one step of undo takes it away. A form that a pattern needs comes with it, unless the draft has one of that name.
 */
import { node } from './dom.js';
import { words } from './words.js';
import { SNIPPETS } from './snippets/index.js';
import { insert } from './snippets/copying.js';

/** `files` are those of the draft (`files.js`), `book` knows which forms there are. */
export function offerSnippets(place, modeler, files, book) {
  place.append(
    ...SNIPPETS.map((snippet) =>
      node('button', {
        type: 'button',
        'data-snippet': snippet.id,
        title: words(snippet.help),
        text: words(snippet.label),
        onclick: async (event) => {
          event.target.closest('details').open = false;
          if (snippet.form && !book.list('forms').some((each) => each.id === snippet.form.id)) {
            book.files[`${snippet.form.id}.form`] = JSON.stringify(snippet.form, null, 2);
            files.brought(`${snippet.form.id}.form`);
          }
          await insert(snippet, modeler);
        },
      }),
    ),
  );
}
