/**
 * Pages that change by themselves.
 *
 *   <div data-poll data-live-stream="/supervision/changes?since=…" hx-get="…" hx-trigger="every 30s, awake, news"
 *        hx-ext="live" hx-swap="live" hx-target="#board"></div>
 *   <div id="board" data-live>…</div>   <span data-live-state></span>
 *
 * While the stream is open the server says when there is news and the timer rests; without it (no place left, an old proxy, the
 * session ended) the timer asks. A page in the background gives its place back. What is brought is woven into the part (morph.js).
 */
import htmx from 'htmx.org';

import { morph } from './morph.js';
import { announce } from './toasts.js';
import { clockTime, words } from './words.js';

/** Refreshes follow each other after this pause at least, and after five times what the last one took. */
const GAP = 1000;
const GAP_SHARE = 5;
/** With an open stream the timer still asks this often: nothing depends on one lost event. A part may ask for more (data-live-most). */
const MOST = 300_000;
const TRY_AGAIN = 60_000;
/** Somebody who marks text or has a menu open is not disturbed; look again after this. */
const LATER = 2000;

let poller = null;
let source = null;
let open = false;
/** The last question was not answered: then the page says since when, whatever becomes of the stream. */
let lost = false;
/** The server said that this is not for this person (any more): then nothing of it stays on the page. */
let refused = false;
let retry = null;
let waiting = null;
let asked = 0;
let took = 0;
let brought = Date.now();

const part = () => document.querySelector(poller.getAttribute('hx-target'));

function show(kind) {
  const text = {
    live: () => words('Live'),
    polling: () => words('Refreshed every 30 seconds'),
    stale: () => words('Not refreshed since {time}: the server cannot be reached', { time: clockTime(new Date(brought)) }),
    ended: () => words('Not refreshed since {time}: please sign in again', { time: clockTime(new Date(brought)) }),
    refused: () => words('This page is no longer among your duties, so it is empty now. Ask an administrator if you need it.'),
  }[kind]();
  for (const place of document.querySelectorAll('[data-live-state]')) {
    if (place.textContent !== text) {
      place.textContent = text;
      place.dataset.liveState = kind;
      if (kind !== 'live' && kind !== 'polling') {
        announce(text);
      }
    }
  }
}

/** Whether somebody is in the middle of something that new content would take away. */
function engaged() {
  const region = part();
  const selection = getSelection();
  return (
    (selection && !selection.isCollapsed && region?.contains(selection.anchorNode)) ||
    Boolean(region?.querySelector('details[data-menu][open], .htmx-request')) ||
    Boolean(document.querySelector('dialog[open]'))
  );
}

function refresh() {
  waiting = null;
  if (document.hidden) {
    return; // it is asked for when somebody looks
  }
  if (engaged()) {
    waiting = setTimeout(refresh, LATER);
  } else {
    htmx.trigger(poller, 'news');
  }
}

function news() {
  waiting ??= setTimeout(refresh, Math.max(0, asked + Math.max(GAP, GAP_SHARE * took) - Date.now()));
}

function listen() {
  clearTimeout(retry);
  if (source || document.hidden || refused) {
    return;
  }
  source = new EventSource(poller.dataset.liveStream);
  source.addEventListener('ready', () => {
    open = true;
    if (lost) {
      news(); // the server is back: the page catches up before it says so
    } else {
      show('live');
    }
  });
  source.addEventListener('changed', news);
  source.addEventListener('error', () => {
    open = false;
    if (source?.readyState === EventSource.CLOSED) {
      source = null;
      if (!lost) {
        show('polling');
      }
      retry = setTimeout(listen, TRY_AGAIN);
    }
  });
}

function rest() {
  source?.close();
  source = null;
  open = false;
}

function onBeforeRequest(event) {
  if (event.target !== poller) {
    return;
  }
  const byTimer = !event.detail.requestConfig.triggeringEvent;
  const recent = Date.now() - brought < Number(poller.dataset.liveMost ?? MOST);
  if (refused || (byTimer && (engaged() || (open && recent)))) {
    event.preventDefault();
    return;
  }
  asked = Date.now();
}

function onAfterRequest(event) {
  if (event.target !== poller) {
    return;
  }
  took = Date.now() - asked;
  const { status } = event.detail.xhr;
  refused = status === 403 || status === 404;
  lost = !event.detail.successful;
  if (!lost) {
    brought = Date.now();
    show(open ? 'live' : 'polling');
  } else if (refused) {
    rest();
    part()?.replaceChildren();
    show('refused');
  } else {
    show(status === 401 ? 'ended' : 'stale');
  }
}

export function watchLive() {
  htmx.defineExtension('live', {
    isInlineSwap: (style) => style === 'live',
    handleSwap(style, target, fragment) {
      if (style !== 'live') {
        return false;
      }
      const fresh = morph(target, fragment);
      const told = target.querySelector('[data-announce]')?.dataset.announce;
      if (told) {
        announce(told);
      }
      return fresh;
    },
  });
  document.addEventListener('animationend', (event) => event.target.classList?.remove('is-changed'));
  poller = document.querySelector('[data-live-stream]');
  if (!poller) {
    return;
  }
  document.addEventListener('htmx:beforeRequest', onBeforeRequest);
  document.addEventListener('htmx:afterRequest', onAfterRequest);
  document.addEventListener('visibilitychange', () => (document.hidden ? rest() : listen()));
  window.addEventListener('pagehide', rest);
  window.addEventListener('pageshow', listen);
  listen();
}
