/** "Are you sure", in words that name the consequence; and what dialogs are made of. */
import { words } from './words.js';

export function element(tag, className, ...children) {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...children);
  return node;
}

export function button(text, className, value) {
  const node = element('button', `btn ${className}`, text);
  node.type = 'submit';
  node.value = value;
  return node;
}

/** Ask once. Resolves to true only for the confirming button; Escape and the backdrop mean no. */
export function ask(question, { title = words('Please confirm'), label = words('Confirm'), danger = false } = {}) {
  const heading = element('h2', 'dialog__title', title);
  heading.id = 'confirm-title';
  const no = button(words('Cancel'), '', 'no');
  const yes = button(label, danger ? 'btn-danger' : 'btn-primary', 'yes');
  const form = element('form', 'dialog__body', heading, element('p', 'dialog__text', question), element('div', 'dialog__buttons', no, yes));
  form.method = 'dialog';
  const dialog = element('dialog', 'dialog', form);
  dialog.setAttribute('aria-labelledby', heading.id);
  const before = document.activeElement;
  document.body.append(dialog);
  dialog.showModal();
  yes.focus();
  return new Promise((resolve) => {
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close('no'));
    dialog.addEventListener('close', () => {
      dialog.remove();
      before?.focus?.();
      resolve(dialog.returnValue === 'yes');
    });
  });
}
