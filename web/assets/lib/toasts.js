/** Short messages at the edge of the page, and the region that screen readers listen to. */
import { words } from './words.js';

const lifetime = { info: 6000, success: 5000, warning: 12000, error: 0 };

function region() {
  let host = document.getElementById('toasts');
  if (!host) {
    host = Object.assign(document.createElement('div'), { id: 'toasts', className: 'toasts' });
    document.body.append(host);
  }
  // Errors interrupt, everything else waits for the reader to finish the sentence.
  if (!host.hasAttribute('aria-live')) {
    host.setAttribute('aria-live', 'polite');
    host.setAttribute('role', 'status');
  }
  return host;
}

/**
 * Show a sentence. `kind` is info, success, warning or error; an error stays until it is closed.
 * `link` is `{href, text}`.
 */
export function toast(text, { kind = 'info', link = null } = {}) {
  const box = document.createElement('div');
  box.className = `toast-line toast-line--${kind}`;
  if (kind === 'error') {
    box.setAttribute('role', 'alert');
  }
  box.append(Object.assign(document.createElement('span'), { textContent: text }));
  if (link) {
    box.append(Object.assign(document.createElement('a'), { href: link.href, textContent: link.text }));
  }
  const close = Object.assign(document.createElement('button'), { type: 'button', className: 'toast-line__close', textContent: '×' });
  close.setAttribute('aria-label', words('Close'));
  close.addEventListener('click', () => box.remove());
  box.append(close);
  region().append(box);
  if (lifetime[kind]) {
    setTimeout(() => box.remove(), lifetime[kind]);
  }
}

/** Tell a screen reader about a change that the eye sees anyway. */
export function announce(text) {
  let host = document.getElementById('announcements');
  if (!host) {
    host = Object.assign(document.createElement('div'), { id: 'announcements', className: 'visually-hidden' });
    host.setAttribute('aria-live', 'polite');
    document.body.append(host);
  }
  host.textContent = '';
  setTimeout(() => (host.textContent = text), 50);
}
