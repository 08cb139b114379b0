/** Small pieces of the page: nodes, buttons, notes above the drawing, dialogs with several answers. */
import { words } from './words.js';

export function node(tag, { class: className = '', text, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (className) {
    made.className = className;
  }
  if (text !== undefined) {
    made.textContent = text;
  }
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) {
      made.addEventListener(name.slice(2), value);
    } else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(name, value === true ? '' : value);
    }
  }
  made.append(...children.filter((each) => each !== null && each !== undefined));
  return made;
}

export const button = (text, onclick, className = '') => node('button', { type: 'button', class: `btn btn-sm ${className}`, text, onclick });

/**
 * A note above the drawing that stays until it is answered. `id` replaces an earlier one; actions: `[text, function]`, after
 * which the note goes unless the function returns `'stay'`. `content`: nodes below the sentence.
 */
export function note(id, text, { kind = 'info', list = [], content = [], actions = [], closable = true } = {}) {
  const place = document.querySelector('[data-notes]');
  dropNote(id);
  const close = () => box.remove();
  const box = node(
    'div',
    { class: `designer__note designer__note--${kind}`, 'data-note': id, role: kind === 'error' ? 'alert' : 'status' },
    node('div', { class: 'designer__note-text' }, node('p', { text }), list.length ? node('ul', {}, ...list.map((each) => node('li', { text: each }))) : null, ...content),
    node(
      'div',
      { class: 'designer__note-actions' },
      ...actions.map(([label, act, className]) =>
        button(label, async () => {
          if ((await act()) !== 'stay') {
            close();
          }
        }, className),
      ),
      closable ? button(words('Close'), close) : null,
    ),
  );
  place.append(box);
  return box;
}

export const dropNote = (id) => document.querySelector(`[data-note="${id}"]`)?.remove();

/** A dialog with its own content; resolves to the value of the pressed button, or `''`. */
export function dialog(title, content, buttons) {
  const heading = node('h2', { class: 'dialog__title', text: title, id: 'designer-dialog-title' });
  const form = node('form', { class: 'dialog__body', method: 'dialog' }, heading, ...content, node('div', { class: 'dialog__buttons' }, ...buttons.map(([value, label, className = '']) => node('button', { class: `btn ${className}`, type: 'submit', value, text: label }))));
  const box = node('dialog', { class: 'dialog designer__dialog', 'aria-labelledby': 'designer-dialog-title' }, form);
  const before = document.activeElement;
  document.body.append(box);
  box.showModal();
  return new Promise((resolve) => {
    box.addEventListener('click', (event) => event.target === box && box.close(''));
    box.addEventListener('close', () => {
      box.remove();
      before?.focus?.();
      resolve(box.returnValue);
    });
  });
}

/** Offers `content` for saving under `name`. */
export function download(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = node('a', { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
