/**
 * Files of other tools: read first, shown afterwards. What cannot be read leaves the drawing as it is; what was not
 * understood is listed; what has no diagram gets one.
 */
import { settleIds } from './ids.js';
import { settleNamespaces } from './namespaces.js';
import { words } from './words.js';

const SHOWN = 30;
const MEGABYTE = 1024 * 1024;
export const FILE_LIMIT = 5 * MEGABYTE;

/** Namespaces of other engines and tools, by the beginning of their address. */
const TOOLS = [
  ['http://camunda.org/schema/1.0/bpmn', 'Camunda 7'],
  ['http://activiti.org/', 'Activiti'],
  ['http://flowable.org/', 'Flowable'],
  ['http://www.signavio.com', 'Signavio'],
  ['http://www.jboss.org/drools', 'jBPM'],
  ['http://www.bizagi.com', 'Bizagi'],
  ['http://spiffworkflow.org', 'SpiffWorkflow'],
  ['https://spiffworkflow.org', 'SpiffWorkflow'],
  ['http://www.trisotech.com', 'Trisotech'],
  ['https://www.trisotech.com', 'Trisotech'],
  ['http://trisotech.com', 'Trisotech'],
  ['http://www.bonitasoft.org', 'Bonita'],
  ['http://processmaker.com', 'ProcessMaker'],
  ['http://caseagile.com', 'CaseAgile'],
  ['http://www.w4.eu', 'W4'],
  ['http://www.itp-commerce.com', 'itp-commerce'],
  ['http://www.bpsim.org', 'BPSim'],
  ['http://www.ibm.com', 'IBM'],
  ['http://oracle.com', 'Oracle'],
  ['http://xmlns.oracle.com', 'Oracle'],
  ['http://www.omnyflow', 'Omny'],
  ['http://www.sparxsystems', 'Enterprise Architect'],
  ['http://www.yaoqiang.org', 'Yaoqiang'],
  ['http://bpmn.sourceforge.net', 'Yaoqiang'],
  ['http://www.aris', 'ARIS'],
  ['http://www.softwareag.com/aris', 'ARIS'],
  ['http://www.adonis', 'ADONIS'],
  ['http://www.boc-group.com', 'ADONIS'],
  ['http://bpmn.sap.com', 'SAP'],
  ['http:///com.sap', 'SAP'],
];
const KNOWN = [
  'http://www.omg.org/',
  'http://www.w3.org/',
  'http://camunda.org/schema/zeebe/',
  'http://camunda.org/schema/modeler/',
  'http://bpmn.io/schema/',
];

/** `[{uri, tool}]` of the foreign namespaces that something in the file really uses. */
export function foreignNamespaces(document) {
  const seen = new Map();
  const look = (item) => {
    const uri = item.namespaceURI;
    if (uri && !KNOWN.some((each) => uri.startsWith(each)) && !seen.has(uri)) {
      seen.set(uri, TOOLS.find(([start]) => uri.startsWith(start))?.[1] ?? uri);
    }
  };
  for (const element of document.getElementsByTagName('*')) {
    look(element);
    for (const attribute of element.attributes) {
      if (attribute.prefix && attribute.prefix !== 'xmlns') {
        look(attribute);
      }
    }
  }
  return [...seen].map(([uri, tool]) => ({ uri, tool }));
}

const MODEL = 'http://www.omg.org/spec/BPMN/20100524/MODEL';
const DIAGRAM = 'http://www.omg.org/spec/BPMN/20100524/DI';

export class NotReadable extends Error {}

/** Line breaks in names as one character: of the two that Windows has, the drawing tool makes a space and a break. */
const plainBreaks = (text) => text.replace(/<!\[CDATA\[[^]*?\]\]>|&#(?:13|x0*d);(?:\n|&#(?:10|x0*a);)?/gi, (found) => (found.startsWith('<') ? found : '&#10;'));

/**
 * Looks at a file before it is shown. Resolves to `{xml, notes: [sentence]}`, the XML with a diagram; rejects with
 * `NotReadable`, whose message says why.
 */
export async function examineFile(given) {
  if (given === null) {
    throw new NotReadable(words('It is not written in the encoding that it declares.'));
  }
  if (given.length > FILE_LIMIT) {
    throw new NotReadable(words('The file is larger than {limit} MB. Split the process with call activities.', { limit: FILE_LIMIT / MEGABYTE }));
  }
  if (!given.trim()) {
    throw new NotReadable(words('The file is empty.'));
  }
  if (/<!DOCTYPE|<!ENTITY/i.test(given.slice(0, 4096))) {
    throw new NotReadable(words('The file brings a document type of its own (DOCTYPE), which is not accepted.'));
  }
  const text = plainBreaks(given);
  const document = new DOMParser().parseFromString(text, 'application/xml');
  const broken = document.getElementsByTagName('parsererror')[0];
  if (broken) {
    const [, line] = /line (\d+)/.exec(broken.textContent) ?? [];
    throw new NotReadable(line ? words('The file is broken near line {line}: it is no well-formed XML.', { line }) : words('The file is broken: it is no well-formed XML.'));
  }
  if (document.documentElement.localName !== 'definitions' || document.documentElement.namespaceURI !== MODEL) {
    throw new NotReadable(words('This is no BPMN 2.0 file: its outermost element is “{name}”.', { name: document.documentElement.nodeName }));
  }
  if (!['process', 'collaboration', 'choreography'].some((name) => document.getElementsByTagNameNS(MODEL, name).length)) {
    throw new NotReadable(words('The file holds no process.'));
  }
  const tools = new Set(foreignNamespaces(document).map((each) => each.tool));
  const notes = [...tools].map((tool) => words('Settings of {tool} are kept in the file but not carried out here.', { tool }));
  const { renamed, changed } = settleIds(document);
  notes.push(...renamed.slice(0, SHOWN).map(([old, id]) => words('The id “{old}” cannot be kept: it has to begin with a letter and consist of letters, digits, “_”, “-” and “.”. It is now “{id}”.', { old, id })));
  const settled = settleNamespaces(document);
  let xml = settled || changed ? new XMLSerializer().serializeToString(document) : text;
  if (!document.getElementsByTagNameNS(DIAGRAM, 'BPMNShape').length) {
    xml = await laidOutXml(xml, document);
    notes.unshift(...notLaidOut(xml));
    notes.unshift(words('The file had no diagram; it was laid out automatically. Move the elements as you like.'));
  }
  return { xml, notes };
}

/** The file as it is, with the drawing that was made for it put in: nothing else of the file passes through the layout. */
async function laidOutXml(text, document) {
  // Only few files need it; the code is fetched when one does.
  const { layoutProcess } = await import('bpmn-auto-layout');
  try {
    const laidOut = new DOMParser().parseFromString(await layoutProcess(text), 'application/xml');
    document.querySelectorAll('BPMNDiagram').forEach((each) => each.remove());
    document.documentElement.append(...[...laidOut.getElementsByTagNameNS(DIAGRAM, 'BPMNDiagram')].map((each) => document.importNode(each, true)));
    return new XMLSerializer().serializeToString(document);
  } catch (error) {
    console.info('layout', error);
    throw new NotReadable(words('The file has no diagram, and none could be made for it.'));
  }
}

/** The layout draws one process. Of a file with several the others are kept, and named. */
function notLaidOut(xml) {
  const document = new DOMParser().parseFromString(xml, 'application/xml');
  const placed = new Set([...document.getElementsByTagNameNS(DIAGRAM, 'BPMNShape')].map((each) => each.getAttribute('bpmnElement')));
  return [...document.getElementsByTagNameNS(MODEL, 'process')]
    .filter((process) => [...process.children].some((each) => each.id && each.localName !== 'sequenceFlow') && ![...process.children].some((each) => placed.has(each.id)))
    .map((process) => words('The process “{name}” is in the file but not on the drawing: one drawing was made, for one process.', { name: process.getAttribute('name') || process.id }));
}

/** The warnings of the reader, in words, each kind with what it names. */
export function warningsInWords(warnings = []) {
  const sentences = warnings.map((each) => {
    const message = each.message ?? String(each);
    const [, reference] = /unresolved reference <([^>]*)>/.exec(message) ?? [];
    if (reference) {
      return words('Something refers to “{id}”, which the file does not have; the reference goes when you save.', { id: reference });
    }
    const [, id] = /duplicate ID <([^>]*)>/.exec(message) ?? [];
    if (id) {
      return words('The id “{id}” is used twice.', { id });
    }
    const [, unknown] = /(?:unparsable content|unrecognized element|unknown attribute|unrecognized flowElement) <([^>]*)>/.exec(message) ?? [];
    if (unknown) {
      return words('“{name}” was not understood.', { name: unknown });
    }
    const [, undrawn] = /(?:#\w+ not (?:yet )?(?:drawn|specified)|no bpmnElement referenced in <[^>]*id="([^"]*)")/.exec(message) ?? [];
    const [, by] = /referenced by <[^>]*id="([^"]*)"/.exec(message) ?? [];
    return undrawn || by
      ? words('“{id}” cannot be drawn: what it belongs to is not on the drawing.', { id: undrawn ?? by })
      : words('Something was not understood: {message}', { message: message.split('\n')[0] });
  });
  const unique = [...new Set(sentences)];
  return unique.length > SHOWN ? [...unique.slice(0, SHOWN), words('… and {count} more', { count: unique.length - SHOWN })] : unique;
}

/** Why the drawing tool could not show a file that is well-formed. */
export function reasonInWords(error) {
  const [, twice] = /^element <([^>]*)> already exists/.exec(error.message) ?? [];
  if (twice) {
    return words('“{id}” is drawn twice in it.', { id: twice });
  }
  const [, name] = /unparsable content <([^>]*)>/.exec(error.message) ?? [];
  return name ? words('“{name}” was not understood.', { name }) : words('it cannot be drawn.');
}
