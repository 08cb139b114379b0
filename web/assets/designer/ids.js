/**
 * Ids that XML does not allow (beginning with a digit, as older jBPM modelers wrote): the drawing tool would leave out the whole element.
 * Letters of any script are allowed, and stay; the build teaches the tool so (`ncname.mjs`, where this pattern stands too).
 */
const LETTERS = String.raw`A-Z_a-z\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02FF\u0370-\u037D\u037F-\u1FFF\u200C\u200D\u2070-\u218F\u2C00-\u2FEF\u3001-\uD7FF\uF900-\uFDCF\uFDF0-\uFFFD\u{10000}-\u{EFFFF}`;
const NAME = String.raw`[${LETTERS}][${LETTERS}\-.0-9\u00B7\u0300-\u036F\u203F\u2040]*`;
const READABLE = new RegExp(`^(?:${NAME}:)?${NAME}$`, 'u');
const DIAGRAM = 'http://www.omg.org/spec/BPMN/20100524/DI';
/** What other tools write inside their own extensions may be called as they like. */
const STANDARD = 'http://www.omg.org/spec/';

const plain = (id) => `_${id.replace(/[^\w.-]/g, (sign) => sign.codePointAt(0).toString(16))}`;

/** Shapes and lines with one id: the tool leaves out all but the first. Nothing but the drawing itself has a use for these ids. */
function tellApart(elements, ids) {
  const seen = new Set();
  let changed = false;
  for (const element of elements.filter((each) => each.namespaceURI === DIAGRAM && each.hasAttribute('id'))) {
    const id = element.getAttribute('id');
    let other = id;
    for (let number = 2; seen.has(other) || (other !== id && ids.has(other)); number += 1) {
      other = `${id}_${number}`;
    }
    seen.add(other);
    if (other !== id) {
      element.setAttribute('id', other);
      changed = true;
    }
  }
  return changed;
}

/** Gives such elements an id that can be read, wherever it stands. Returns `{renamed: [[old, new]], changed}`. */
export function settleIds(document) {
  const elements = [...document.getElementsByTagName('*')];
  const ids = new Set(elements.filter((each) => each.namespaceURI?.startsWith(STANDARD)).map((each) => each.getAttribute('id')).filter((id) => id !== null));
  const renamed = new Map();
  for (const id of ids) {
    if (id && !READABLE.test(id)) {
      let other = plain(id);
      while (ids.has(other)) {
        other = `_${other}`;
      }
      ids.add(other);
      renamed.set(id, other);
    }
  }
  if (renamed.size) {
    // The same word inside an extension is the key of a form or a group, not this element.
    for (const element of elements.filter((each) => each.namespaceURI?.startsWith(STANDARD))) {
      for (const each of element.attributes) {
        if (renamed.has(each.value) && !each.prefix && each.localName !== 'name') {
          each.value = renamed.get(each.value);
        }
      }
      if (!element.children.length && renamed.has(element.textContent.trim()) && /Ref$|^(?:incoming|outgoing|source|target)$/.test(element.localName)) {
        element.textContent = renamed.get(element.textContent.trim());
      }
    }
  }
  const changed = tellApart(elements, ids) || renamed.size > 0;
  return { renamed: [...renamed], changed };
}
