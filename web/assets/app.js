/** Every page: htmx and Alpine under a strict policy, lists, menus, tabs, dialogs, messages. */
import Alpine from '@alpinejs/csp';
import htmx from 'htmx.org';

import { csrfToken } from './lib/http.js';
import { watchDownloads } from './lib/downloads.js';
import { signInAgain } from './lib/sign_in.js';
import { watchLive } from './lib/live.js';
import { watchMenus, watchTabs } from './lib/menus.js';
import { rowsComponent, watchRows } from './lib/rows.js';
import { watchSubmitting } from './lib/submitting.js';
import { announce, toast } from './lib/toasts.js';
import { words } from './lib/words.js';

// The policy forbids inline styles and eval; both of these would use them.
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;
htmx.config.historyCacheSize = 0; // pages of cases do not belong into a store that outlives the session
// "Somebody was faster" (409) and "this is not right yet" (422) are answers with content, not failures.
htmx.config.responseHandling = [
  { code: '204', swap: false },
  { code: '[23]..', swap: true },
  { code: '409|422', swap: true },
  { code: '[45]..', swap: false, error: true },
];

document.addEventListener('htmx:configRequest', (event) => {
  event.detail.headers['X-CSRFToken'] = csrfToken();
});

// A page in the background does not poll; it catches up when it is looked at.
document.addEventListener('htmx:beforeRequest', (event) => {
  if (document.hidden && event.target.closest('[data-poll]')) {
    event.preventDefault();
  }
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) {
    document.querySelectorAll('[data-poll]').forEach((node) => htmx.trigger(node, 'awake'));
  }
});

document.addEventListener('htmx:responseError', (event) => {
  const { status } = event.detail.xhr;
  if (event.target.closest('[data-poll]')) {
    return; // a bell that cannot ring is no reason to interrupt; the next action of the person will say what is wrong
  }
  if (status === 401) {
    signInAgain();
  } else if (status === 403) {
    toast(words('You may not do this.'), { kind: 'error' });
  } else {
    toast(words('The server could not do this. Nothing was changed; please try again.'), { kind: 'error' });
  }
});
document.addEventListener('htmx:sendError', (event) => {
  if (!event.target.closest('[data-poll]')) {
    toast(words('The server cannot be reached. Your work is still on this page.'), { kind: 'error' });
  }
});

// The server speaks through the HX-Trigger header: {"toast": {"text": …, "kind": …, "link": {…}}, "announce": {"value": …}}.
document.addEventListener('toast', (event) => toast(event.detail.text, event.detail));
document.addEventListener('announce', (event) => announce(event.detail.text ?? event.detail.value));
// Whatever changes by itself inside [data-live] (a light) says so: the swapped-in element carries data-announce.
document.addEventListener('htmx:load', (event) => {
  const text = event.detail.elt.dataset?.announce ?? event.detail.elt.querySelector?.('[data-announce]')?.dataset.announce;
  if (text && event.detail.elt !== document.body) {
    announce(text);
  }
});

document.addEventListener('click', (event) => {
  if (event.target.closest?.('[data-print]')) {
    window.print();
  }
});

watchSubmitting();
watchDownloads();
watchRows();
watchMenus();
watchTabs();
watchLive();

Alpine.data('rows', rowsComponent);
Alpine.start();
document.documentElement.dataset.ready = 'app';
