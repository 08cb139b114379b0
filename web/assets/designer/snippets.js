/**
 * Complete patterns to be put into a drawing: each is a BPMN file of its own in `snippets/`. Inserting one copies its elements
 * with new ids below what is there; one step of undo takes it away.
 */
import { node } from './dom.js';
import { words } from './words.js';
import { SNIPPETS } from './snippets/index.js';
import { insert } from './snippets/copying.js';

export function offerSnippets(place, modeler) {
  place.append(
    ...SNIPPETS.map((snippet) =>
      node('button', {
        type: 'button',
        'data-snippet': snippet.id,
        title: words(snippet.help),
        text: words(snippet.label),
        onclick: async (event) => {
          event.target.closest('details').open = false;
          await insert(snippet, modeler);
        },
      }),
    ),
  );
}
