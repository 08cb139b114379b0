/**
 * Who in the draft names a form or a decision, and the change of such a name in every file. A drawing names them in attributes; other
 * files (the sheet, a README) may name them in text, which is told but not changed.
 */

/** What is named → the attribute of a `.bpmn` file that names it. */
const ATTRIBUTES = { form: 'formId', decision: 'decisionId' };

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const naming = (kind, id) => new RegExp(`(\\b${ATTRIBUTES[kind]}=)(["'])${escaped(id)}\\2`, 'g');
/** The id as a word of its own: not a part of a longer name. */
const mention = (id) => new RegExp(`(^|[^\\p{L}\\p{N}_-])${escaped(id)}($|[^\\p{L}\\p{N}_-])`, 'mu');

/** `{used: [names of drawings], mentioned: [names of other files]}` of the form or decision `id`, its own file left out. */
export function usesOf(files, kind, id, own) {
  const others = Object.keys(files).filter((name) => name !== own);
  const used = others.filter((name) => name.endsWith('.bpmn') && naming(kind, id).test(files[name]));
  const mentioned = others.filter((name) => !used.includes(name) && !/\.(bpmn|form|dmn)$/.test(name) && mention(id).test(files[name]));
  return { used, mentioned };
}

/** The text of a drawing in which `id` is called `next`. */
export const renamedIn = (text, kind, id, next) => text.replace(naming(kind, id), (_, before, quote) => `${before}${quote}${next}${quote}`);

/** A decision's id inside its own file: the element, and what refers to it. */
export function renamedDecision(text, id, next) {
  const name = escaped(id);
  return text
    .replace(new RegExp(`(<(?:\\w+:)?decision\\b[^>]*\\bid=)(["'])${name}\\2`, 'g'), (_, before, quote) => `${before}${quote}${next}${quote}`)
    .replace(new RegExp(`(\\b(?:href|dmnElementRef)=)(["'])(#?)${name}\\2`, 'g'), (_, before, quote, sign) => `${before}${quote}${sign}${next}${quote}`);
}

const decisionsOf = (text) => [...new DOMParser().parseFromString(text, 'application/xml').getElementsByTagNameNS('*', 'decision')].filter((each) => each.getAttribute('id'));

/** What a file of decisions is called: its own name, or that of its only decision. */
export function titleOf(text) {
  const decisions = decisionsOf(text);
  const own = decisions[0]?.ownerDocument.documentElement.getAttribute('name');
  return decisions.length === 1 ? decisions[0].getAttribute('name') || own : own;
}

/** What a file defines: `[{kind, id, name}]`; nothing when it cannot be read. */
export function definedIn(name, text) {
  if (name.endsWith('.dmn')) {
    return decisionsOf(text).map((each) => ({ kind: 'decision', id: each.getAttribute('id'), name: each.getAttribute('name') || each.getAttribute('id') }));
  }
  try {
    const { id, name } = JSON.parse(text);
    return id ? [{ kind: 'form', id, name: name || id }] : [];
  } catch {
    // A form that cannot be read defines nothing; that it cannot be read is a finding.
    return [];
  }
}
