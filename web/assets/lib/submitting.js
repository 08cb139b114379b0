/** What happens between the press of a button and the request: ask once where asked for, send once, never twice. */
import { ask } from './dialogs.js';
import { randomKey } from './http.js';

const agreed = new WeakSet();

const confirmation = (node) => node?.closest?.('[data-confirm]');

/** Put the question that `node` carries in data-confirm (with -title, -label, -danger). */
export function questionOf(node) {
  const { confirm, confirmTitle, confirmLabel } = node.dataset;
  return ask(confirm, { title: confirmTitle, label: confirmLabel, danger: 'confirmDanger' in node.dataset });
}

/** A form, or the button that submits it, carries the question. Capturing comes before htmx and before the island of a task. */
function onSubmit(event) {
  const form = event.target;
  const submitter = event.submitter;
  if ('asksItself' in form.dataset) {
    return; // the task page looks for errors before it asks
  }
  const asking = submitter?.hasAttribute('data-confirm') ? submitter : form.hasAttribute('data-confirm') ? form : null;
  if (asking && !agreed.has(asking)) {
    event.preventDefault();
    event.stopImmediatePropagation();
    questionOf(asking).then((yes) => {
      if (yes) {
        agreed.add(asking);
        form.requestSubmit(submitter ?? undefined);
        agreed.delete(asking);
      }
    });
  }
}

/** Buttons and links that act by htmx or by a script rather than by a form. */
function onClick(event) {
  const node = confirmation(event.target);
  if (!node || node.matches('form') || (node.type === 'submit' && node.form) || agreed.has(node)) {
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  questionOf(node).then((yes) => {
    if (yes) {
      agreed.add(node);
      node.click();
      agreed.delete(node);
    }
  });
}

const submitButtons = (form) => [...form.elements].filter((control) => control.type === 'submit' && control.tagName === 'BUTTON');

function release(form) {
  form.removeAttribute('aria-busy');
  delete form.dataset.sent;
  for (const control of submitButtons(form)) {
    control.disabled = false;
  }
}

/**
 * The second press of an impatient finger is swallowed; the first carries an idempotency key, so that a request repeated by
 * the network is recognised by the server. The buttons go grey a moment later because a disabled button is not sent.
 */
function sendOnce(event) {
  const form = event.target;
  if (event.defaultPrevented && !form.matches('[hx-post], [data-hx-post]')) {
    return;
  }
  if (form.method !== 'post' && !form.matches('[hx-post], [data-hx-post]')) {
    return;
  }
  if (form.dataset.sent) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  form.dataset.sent = 'yes';
  form.setAttribute('aria-busy', 'true');
  setTimeout(() => submitButtons(form).forEach((control) => (control.disabled = true)));
}

/** Give every posting form its key before anybody (htmx included) collects the fields. */
function stamp(event) {
  const form = event.target;
  if (form.method === 'post' && !form.elements.idempotency_key && 'idempotent' in form.dataset) {
    const key = Object.assign(document.createElement('input'), { type: 'hidden', name: 'idempotency_key', value: randomKey() });
    form.append(key);
  }
}

export function watchSubmitting() {
  document.addEventListener('submit', onSubmit, true);
  document.addEventListener('submit', stamp, true);
  document.addEventListener('submit', sendOnce);
  document.addEventListener('click', onClick, true);
  document.addEventListener('htmx:afterRequest', (event) => {
    const form = event.target.closest?.('form[data-sent]');
    if (form) {
      release(form);
    }
  });
  // The browser's "back" brings the page back as it was left: with grey buttons, unless told otherwise.
  window.addEventListener('pageshow', () => document.querySelectorAll('form[data-sent]').forEach(release));
  document.addEventListener('htmx:confirm', (event) => {
    if (event.detail.question) {
      event.preventDefault();
      ask(event.detail.question).then((yes) => yes && event.detail.issueRequest(true));
    }
  });
}
