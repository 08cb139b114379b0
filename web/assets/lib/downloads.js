/**
 * Files that take the server some seconds. A link with data-making shows that sentence while its file is made, and a second press is
 * swallowed. Whatever does not come as a file (a refusal, a sign-in) is opened as the link would have opened it.
 */
import { announce } from './toasts.js';

const LONGER_THAN_ANY_SAVING = 60_000;

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement('a'), { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), LONGER_THAN_ANY_SAVING);
}

/** The name that the server gives the file: filename* is UTF-8 in percent signs, filename plain ASCII. */
function nameOf(response) {
  const header = response.headers.get('Content-Disposition') ?? '';
  const [, coded] = /filename\*=UTF-8''([^;]+)/i.exec(header) ?? [];
  const [, plain] = /filename="?([^";]+)"?/i.exec(header) ?? [];
  return coded ? decodeURIComponent(coded) : plain;
}

async function fetchFile(link) {
  const text = link.textContent;
  link.setAttribute('aria-busy', 'true');
  link.textContent = link.dataset.making;
  announce(link.dataset.making);
  try {
    const response = await fetch(link.href, { credentials: 'same-origin' });
    const name = response.ok ? nameOf(response) : undefined;
    if (name) {
      save(await response.blob(), name);
    } else {
      window.location.assign(link.href);
    }
  } catch {
    window.location.assign(link.href);
  } finally {
    link.textContent = text;
    link.removeAttribute('aria-busy');
  }
}

export function watchDownloads() {
  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[data-making]');
    if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) {
      return;
    }
    event.preventDefault();
    if (link.getAttribute('aria-busy') !== 'true') {
      fetchFile(link);
    }
  });
}
