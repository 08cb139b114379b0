/** The keys of the editor, and the dialog that lists them. */
import { dialog, node } from './dom.js';
import { words } from './words.js';

const KEYS = [
  ['Ctrl + S', 'Save'],
  ['Ctrl + Z', 'Undo'],
  ['Ctrl + Y', 'Redo'],
  ['Ctrl + F', 'Find an element'],
  ['Ctrl + C / X / V', 'Copy, cut, paste (in another drawing too)'],
  ['Ctrl + A', 'Select everything'],
  ['Delete', 'Remove what is selected'],
  ['E', 'Edit the name'],
  ['R', 'Change the kind of element'],
  ['N', 'Create an element'],
  ['A', 'Append an element'],
  ['H', 'Hand: move the drawing'],
  ['L', 'Lasso: select a part'],
  ['S', 'Make or remove room'],
  ['C', 'Connect elements'],
  ['Ctrl + wheel', 'Zoom'],
  ['Ctrl + 0 / + / −', 'Zoom to 100 %, in, out'],
  ['Arrows', 'Move what is selected; with Shift in large steps'],
  ['Ctrl + arrows', 'Move the drawing'],
  ['Esc', 'Cancel what has begun'],
  ['?', 'This list'],
];

export function showKeys() {
  const rows = KEYS.map(([key, text]) => node('tr', {}, node('td', {}, node('kbd', { text: words(key) })), node('td', { text: words(text) })));
  return dialog(words('Keyboard'), [node('table', { class: 'designer__keys' }, node('tbody', {}, ...rows))], [['', words('Close')]]);
}

const isTyping = (target) => target.matches?.('input, textarea, select, [contenteditable], [contenteditable] *');

export function watchKeys({ save, find, isOpen }) {
  document.addEventListener(
    'keydown',
    (event) => {
      const command = event.ctrlKey || event.metaKey;
      if (command && !event.altKey && event.key.toLowerCase() === 's') {
        event.preventDefault();
        // What is being typed into a field is taken over when the field is left; who types in the panel goes on there.
        const field = document.activeElement;
        field?.blur?.();
        if (field?.closest?.('[data-panel]')) {
          field.focus();
        }
        save();
      } else if (command && event.key.toLowerCase() === 'f' && isOpen() && !document.querySelector('dialog[open]')) {
        event.preventDefault();
        event.stopPropagation();
        find();
      } else if (event.key === '?' && !isTyping(event.target) && !document.querySelector('dialog[open]')) {
        showKeys();
      }
    },
    true,
  );
  // The search looks at each key that is released; what an input method or a paste writes releases none.
  document.addEventListener('input', (event) => {
    if (event.target.closest?.('.djs-search-input')) {
      event.target.dispatchEvent(new KeyboardEvent('keyup', { bubbles: true }));
    }
  });
}
