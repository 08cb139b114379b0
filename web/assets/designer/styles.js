/**
 * Style sheets that only some editors need, by the name under which the page carries their address (`data-style-NAME` on `#designer`).
 * They are loaded when an editor first opens. The form editor and the preview draw with two versions of form-js whose rules disagree,
 * so that only one of their sheets is ever in force.
 */
const sheets = new Map();

/** Resolves when the sheet is in force. */
export function useStyle(name) {
  const known = sheets.get(name);
  if (known) {
    known.link.disabled = false;
    return known.ready;
  }
  const address = document.getElementById('designer').dataset[`style${name[0].toUpperCase()}${name.slice(1)}`];
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.href = address;
  const ready = new Promise((resolve, reject) => {
    link.addEventListener('load', () => resolve());
    link.addEventListener('error', () => reject(new Error(`style sheet ${name}`)));
  });
  sheets.set(name, { link, ready });
  document.head.append(link);
  return ready;
}

export function restStyle(name) {
  const known = sheets.get(name);
  if (known) {
    known.link.disabled = true;
  }
}
