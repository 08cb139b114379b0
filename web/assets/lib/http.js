/** Requests of our own scripts: the CSRF header, JSON in and out, and the two answers every caller must handle alike. */

export const csrfToken = () => document.querySelector('meta[name="csrf-token"]')?.content ?? '';

/** After a sign-in in another tab the session has a new token; the page's forms must carry it too. */
export function renewCsrfToken(token) {
  if (!token) {
    return;
  }
  document.querySelector('meta[name="csrf-token"]')?.setAttribute('content', token);
  for (const input of document.querySelectorAll('input[name="csrf_token"]')) {
    input.value = token;
  }
}

export class Refused extends Error {
  /** @param {number} status  HTTP status; 0 when the server could not be reached. @param {object} body  the JSON answer */
  constructor(status, body) {
    super(body?.message ?? `HTTP ${status}`);
    this.status = status;
    this.body = body ?? {};
  }
}

async function send(url, options) {
  let response;
  try {
    response = await fetch(url, {
      method: 'POST',
      credentials: 'same-origin',
      redirect: 'manual',
      ...options,
      headers: { Accept: 'application/json', 'X-CSRFToken': csrfToken(), 'X-Requested-With': 'fetch', ...options.headers },
    });
  } catch {
    throw new Refused(0);
  }
  // A redirect of a JSON request can only be the way to the sign-in page.
  if (response.type === 'opaqueredirect') {
    throw new Refused(401);
  }
  const body = (response.headers.get('Content-Type') ?? '').includes('json') ? await response.json() : {};
  if (!response.ok) {
    throw new Refused(response.status, body);
  }
  return body;
}

export const postJson = (url, value, options = {}) =>
  send(url, { ...options, body: JSON.stringify(value), headers: { 'Content-Type': 'application/json' } });

export const putJson = (url, value) => postJson(url, value, { method: 'PUT' });

export const getJson = (url) => send(url, { method: 'GET' });

export const postMultipart = (url, formData) => send(url, { body: formData });

/** A random key that names one submission; `crypto.randomUUID` is absent on plain http, which offices use. */
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The JSON that the server put into `<script type="application/json" id="…">`, or `null` when the page has none. */
export function pageData(id) {
  const script = document.getElementById(id);
  return script ? JSON.parse(script.textContent) : null;
}
