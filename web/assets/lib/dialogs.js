/** Two dialogs: "are you sure" in words that name the consequence, and "your session ended, nothing is lost". */
import { getJson, renewCsrfToken } from './http.js';
import { words } from './words.js';

function element(tag, className, ...children) {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...children);
  return node;
}

function button(text, className, value) {
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

let open = null;

/**
 * The session ended while somebody was working. The work stays on the page; signing in happens in another tab, and
 * "continue" asks the server whether it knows us again. Resolves to true when it does, to false when put off.
 */
export function signInAgain() {
  open ??= showSignIn().finally(() => (open = null));
  return open;
}

function showSignIn() {
  const settings = document.documentElement.dataset;
  const loginUrl = settings.loginUrl || '/login';
  const sessionUrl = settings.sessionUrl || '/session';
  const heading = element('h2', 'dialog__title', words('Please sign in again'));
  heading.id = 'sign-in-title';
  const note = element('p', 'dialog__text', words('Your session has ended. What you have filled in is still here and kept in this browser.'));
  const state = element('p', 'dialog__state');
  state.setAttribute('role', 'status');
  const link = element('a', 'btn btn-primary', words('Sign in (new tab)'));
  link.href = `${loginUrl}?next=${encodeURIComponent(location.pathname + location.search)}`;
  link.target = '_blank';
  link.rel = 'opener';
  const later = button(words('Later'), '', 'later');
  const go = element('button', 'btn', words('I have signed in, continue'));
  go.type = 'button';
  const form = element('form', 'dialog__body', heading, note, state, element('div', 'dialog__buttons', later, link, go));
  form.method = 'dialog';
  const dialog = element('dialog', 'dialog', form);
  dialog.setAttribute('aria-labelledby', heading.id);
  document.body.append(dialog);
  dialog.showModal();
  link.focus();
  return new Promise((resolve) => {
    const check = async () => {
      try {
        const answer = await getJson(sessionUrl);
        renewCsrfToken(answer.csrf_token);
        dialog.close('yes');
      } catch {
        state.textContent = words('Not signed in yet.');
      }
    };
    go.addEventListener('click', check);
    window.addEventListener('focus', check);
    dialog.addEventListener('close', () => {
      window.removeEventListener('focus', check);
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
  });
}
