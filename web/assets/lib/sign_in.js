/** "Your session ended, nothing is lost": signing in again on the page where somebody was working. */
import { button, element } from './dialogs.js';
import { getJson, postMultipart, renewCsrfToken } from './http.js';
import { words } from './words.js';

let open = null;

/**
 * The session ended while somebody was working; the work stays on the page. Signing in happens here, or in another tab, and "continue"
 * asks the server whether it knows us again. Who is signed in then may be somebody else than who opened the page: the page says so, and
 * goes on in that name only when told to. Resolves to true when it may go on, to false when put off.
 *
 * @param {{because?: string}} why  what the server had against somebody else than who opened the page, instead of an ended session
 */
export function signInAgain({ because = '' } = {}) {
  open ??= showSignIn(because).finally(() => (open = null));
  return open;
}

/** Whether the page goes on in the name of somebody else than who opened it. */
export const inAnotherName = () => Boolean(document.documentElement.dataset.actingAs);

function field(label, attributes) {
  const input = element('input', 'form-control');
  Object.assign(input, attributes);
  return { input, row: element('label', 'dialog__field', element('span', 'form-label', label), input) };
}

function showSignIn(because) {
  const settings = document.documentElement.dataset;
  const loginUrl = settings.loginUrl || '/login';
  const sessionUrl = settings.sessionUrl || '/session';
  const heading = element('h2', 'dialog__title', words('Please sign in again'));
  heading.id = 'sign-in-title';
  const note = element('p', 'dialog__text', because || words('Your session has ended. What you have filled in is still here and kept in this browser.'));
  const account = field(words('Account'), { name: 'login', autocomplete: 'username', required: true, value: settings.person ?? '' });
  account.input.setAttribute('autocapitalize', 'none');
  const password = field(words('Password'), { name: 'password', type: 'password', autocomplete: 'current-password', required: true });
  const state = element('p', 'dialog__state');
  state.setAttribute('role', 'status');
  const link = element('a', 'btn btn-link', words('Sign in (new tab)'));
  link.href = `${loginUrl}?next=${encodeURIComponent(location.pathname + location.search)}`;
  link.target = '_blank';
  link.rel = 'opener';
  const later = button(words('Later'), '', 'later');
  later.formNoValidate = true;
  const go = element('button', 'btn', words('I have signed in, continue'));
  go.type = 'button';
  const enter = button(words('Sign in'), 'btn-primary', 'sign-in');
  // The first button of a form is the one that Enter presses.
  const form = element('form', 'dialog__body', heading, note, account.row, password.row, state, element('div', 'dialog__buttons dialog__buttons--reversed', enter, go, link, later));
  form.method = 'dialog';
  const dialog = element('dialog', 'dialog', form);
  dialog.setAttribute('aria-labelledby', heading.id);
  document.body.append(dialog);
  dialog.showModal();
  (account.input.value ? password : account).input.focus();

  /** Somebody else than who opened the page, known to the server and told here. */
  let other = '';
  const known = (answer, pressed) => {
    renewCsrfToken(answer.csrf_token);
    const same = !settings.person || answer.login === settings.person;
    if (same || (pressed && other === answer.login)) {
      settings.actingAs = same ? '' : answer.login;
      dialog.close('yes');
      return;
    }
    other = answer.login;
    state.textContent = words('{name} is signed in now, and this page was opened by {opener}. Sign in as yourself, or go on: what you save then is saved in the name of {name}.', {
      name: answer.name,
      opener: settings.personName || settings.person,
    });
    link.hidden = true;
    go.textContent = words('Continue as {name}', { name: answer.name });
  };
  const check = async (pressed) => {
    try {
      known(await getJson(sessionUrl), pressed);
    } catch (error) {
      // Also somebody who is not signed in needs a token, to sign in with.
      renewCsrfToken(error.body?.csrf_token);
      if (pressed) {
        state.textContent = words(error.status === 401 ? 'Not signed in yet.' : 'The server cannot be reached. Your work is still on this page.');
      }
    }
  };
  const signIn = async () => {
    const given = new FormData(form);
    try {
      known(await postMultipart(settings.signInUrl || '/login', given), false);
    } catch (error) {
      if (error.status === 400) {
        await check(false);
      }
      state.textContent = error.body?.message ?? words('The server cannot be reached. Your work is still on this page.');
    }
    password.input.value = '';
  };
  const ready = check(false);

  return new Promise((resolve) => {
    const look = () => check(false);
    form.addEventListener('submit', (event) => {
      if (event.submitter !== later) {
        event.preventDefault();
        ready.then(signIn);
      }
    });
    go.addEventListener('click', () => check(true));
    window.addEventListener('focus', look);
    dialog.addEventListener('close', () => {
      window.removeEventListener('focus', look);
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
  });
}
