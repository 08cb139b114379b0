/**
 * Namespaces of a file as the drawing tool can keep them. Two ways of declaring them, both right in XML, it would lose attributes by:
 *
 * - one address as the default and with a prefix (`xmlns="…/drools" xmlns:drools="…/drools"`, as jBPM writes): attributes come out
 *   without their prefix, and so without their namespace;
 * - a prefix that the tool has for something else (`xmlns:color` for an older address of the colours): attributes go altogether.
 */
const XMLNS = 'http://www.w3.org/2000/xmlns/';
const XSI = 'http://www.w3.org/2001/XMLSchema-instance';

/** Prefix → the only address for which the drawing tool has it. */
const RESERVED = {
  bpmn: 'http://www.omg.org/spec/BPMN/20100524/MODEL',
  bpmndi: 'http://www.omg.org/spec/BPMN/20100524/DI',
  dc: 'http://www.omg.org/spec/DD/20100524/DC',
  di: 'http://www.omg.org/spec/DD/20100524/DI',
  bioc: 'http://bpmn.io/schema/bpmn/biocolor/1.0',
  color: 'http://www.omg.org/spec/BPMN/non-normative/color/1.0',
  zeebe: 'http://camunda.org/schema/zeebe/1.0',
};

/** Prefix as written (empty for the default) → prefix as it should be; empty when nothing needs to change. */
function renaming(root, usedInAttributes) {
  const declared = new Map([...root.attributes].filter((each) => each.namespaceURI === XMLNS).map((each) => [each.prefix ? each.localName : '', each.value]));
  const renamed = new Map();
  for (const [prefix, uri] of declared) {
    if (RESERVED[prefix] && RESERVED[prefix] !== uri) {
      let number = 2;
      while (declared.has(`${prefix}${number}`)) {
        number += 1;
      }
      renamed.set(prefix, `${prefix}${number}`);
    }
  }
  const [twin] = [...declared].find(([prefix, uri]) => prefix && uri === declared.get('') && usedInAttributes.has(uri)) ?? [];
  if (twin) {
    renamed.set('', renamed.get(twin) ?? twin);
  }
  return { declared, renamed };
}

function replaced(element, prefix) {
  const other = element.ownerDocument.createElementNS(element.namespaceURI, `${prefix}:${element.localName}`);
  [...element.attributes].forEach((each) => other.setAttributeNodeNS(element.removeAttributeNode(each)));
  other.append(...element.childNodes);
  element.replaceWith(other);
  return other;
}

/** Whether anything had to be written in another way; the document says the same as before. */
export function settleNamespaces(document) {
  const elements = [...document.getElementsByTagName('*')];
  const usedInAttributes = new Set(elements.flatMap((element) => [...element.attributes].map((each) => each.prefix && each.namespaceURI)));
  const { declared, renamed } = renaming(document.documentElement, usedInAttributes);
  if (!renamed.size) {
    return false;
  }
  for (const element of elements) {
    const own = element.prefix ?? '';
    for (const each of [...element.attributes]) {
      if (each.namespaceURI === XSI && each.localName === 'type') {
        const [name, prefix = ''] = each.value.trim().split(':').reverse();
        if (renamed.has(prefix)) {
          each.value = `${renamed.get(prefix)}:${name}`;
        }
      }
      if (each.prefix && renamed.has(each.prefix) && each.namespaceURI === declared.get(each.prefix)) {
        element.removeAttributeNode(each);
        element.setAttributeNS(each.namespaceURI, `${renamed.get(each.prefix)}:${each.localName}`, each.value);
      }
    }
    // The same prefix may mean something else further in.
    if (renamed.has(own) && element.namespaceURI === declared.get(own)) {
      replaced(element, renamed.get(own));
    }
  }
  const root = document.documentElement;
  for (const [prefix, other] of renamed) {
    root.removeAttributeNS(XMLNS, prefix || 'xmlns');
    root.setAttributeNS(XMLNS, `xmlns:${other}`, declared.get(prefix));
  }
  return true;
}
