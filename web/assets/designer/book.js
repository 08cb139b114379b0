/**
 * What the draft holds and what the office has: the files of the draft, and the lists to choose from (`/designer/options`).
 * Everything that offers a choice asks here; a form or decision of the draft counts before a published one.
 */
import { words } from './words.js';

export class Book {
  /** @param {{files: Record<string, string>, options: object, draft: object}} data */
  constructor({ files, options, draft }) {
    this.files = { ...files };
    this.options = options ?? {};
    this.draft = draft;
    this.cache = new Map();
  }

  /** The id of the process that the draft is about: as its sheet has it, else as its drawings had it when the page was opened. */
  get processId() {
    const sheet = Object.keys(this.files).find((name) => name.endsWith('procedure.yaml'));
    return /^process:\s*["']?([\w.-]+)/m.exec(this.files[sheet] ?? '')?.[1] ?? this.draft.processId;
  }

  named(suffix) {
    return Object.keys(this.files).filter((name) => name.toLowerCase().endsWith(suffix)).sort();
  }

  /** Once per text of a file and way of reading it. */
  read(name, how) {
    const text = this.files[name];
    const slot = `${how.name}:${name}`;
    const known = this.cache.get(slot);
    if (known?.text === text) {
      return known.value;
    }
    let value = null;
    try {
      value = how(text);
    } catch {
      // A file that cannot be read is the subject of a finding; as a choice it simply offers nothing.
      value = null;
    }
    this.cache.set(slot, { text, value });
    return value;
  }

  /** Forms: `{id, label, fields: [{key, label, type}], every: [{path, label, type, depth}]}`. */
  get forms() {
    const own = this.named('.form').map((name) => this.read(name, formOf)).filter(Boolean);
    return merged(own, this.options.forms);
  }

  /** Decisions: `{id, label, outputs: [name]}`. */
  get decisions() {
    const own = this.named('.dmn').flatMap((name) => this.read(name, decisionsOf) ?? []);
    return merged(own, this.options.decisions);
  }

  get processes() {
    const own = this.named('.bpmn').flatMap((name) => this.read(name, processesOf) ?? []);
    return merged(own, this.options.processes);
  }

  /** Documents of the draft's own sheet first: what is being added there is not published yet. */
  get documents() {
    const own = Object.keys(this.files).filter((name) => name.endsWith('procedure.yaml')).flatMap((name) => this.read(name, documentsOf) ?? []);
    return merged(own, this.options.documents);
  }

  /** Names of the steps of the draft that show this form. */
  usersOf(formId) {
    return this.named('.bpmn').flatMap((name) => this.read(name, stepsWithForm) ?? []).filter((each) => each.formId === formId).map((each) => each.label);
  }

  /** The list named `name` as `[{id, label}]`, ready for a select. */
  list(name) {
    const found = this[name] ?? this.options[name] ?? [];
    return found.map((each) => (typeof each === 'string' ? { id: each, label: each } : each));
  }

  label(name, id) {
    return this.list(name).find((each) => each.id === id)?.label ?? id;
  }
}

function merged(own, published = []) {
  const seen = new Set(own.map((each) => each.id));
  return [...own.map((each) => ({ ...each, label: words('{label} (this draft)', { label: each.label }) })), ...published.filter((each) => !seen.has(each.id))];
}

function formOf(text) {
  const schema = JSON.parse(text);
  return { id: schema.id, label: schema.name || schema.id, fields: fieldsOf(schema.components ?? []), every: everyField(schema.components ?? []) };
}

/** The answers of a form; the inside of a dynamic list belongs to the list. */
function fieldsOf(components) {
  return components.flatMap((each) => {
    const key = each.key ?? each.path;
    if (each.type === 'dynamiclist') {
      return key ? [{ key, label: each.label ?? key, type: each.type }] : [];
    }
    if (each.components) {
      return fieldsOf(each.components);
    }
    return each.key ? [{ key: each.key, label: each.label ?? each.key, type: each.type }] : [];
  });
}

/** Types of fields that hold an answer of their own; a dynamic list holds rows. */
const HOLDS = new Set(['textfield', 'textarea', 'number', 'checkbox', 'checklist', 'radio', 'select', 'taglist', 'datetime', 'filepicker', 'expression', 'dynamiclist']);

/** All answers under their full path, the columns of a list after it (`items.price`): `[{path, label, type, depth}]`. */
function everyField(components, prefix = '', depth = 0) {
  return components.flatMap((each) => {
    const name = each.type === 'group' || each.type === 'dynamiclist' ? each.path : each.key;
    const path = name ? `${prefix}${name}` : '';
    const own = path && HOLDS.has(each.type) ? [{ path, label: each.label || path, type: each.type, depth }] : [];
    const inner = each.components ? everyField(each.components, path ? `${path}.` : prefix, depth + (each.type === 'dynamiclist' ? 1 : 0)) : [];
    return [...own, ...inner];
  });
}

/** The documents of a sheet: entries of its list `documents`, written in one line or in several. */
function documentsOf(text) {
  const block = /^documents:[^\n]*\n((?:[ \t-][^\n]*(?:\n|$)|\n)*)/m.exec(text)?.[1] ?? '';
  return block.split(/^\s*-\s/m).slice(1).flatMap((entry) => {
    const said = (name) => new RegExp(`(?:^|[{,\\n])\\s*${name}:\\s*["']?([^"',}\\n]+)`).exec(entry)?.[1].trim();
    return said('id') ? [{ id: said('id'), label: said('name') ?? said('id') }] : [];
  });
}

const parsedXml = (text) => new DOMParser().parseFromString(text, 'application/xml');
const all = (root, name) => [...root.getElementsByTagNameNS('*', name)];

function decisionsOf(text) {
  return all(parsedXml(text), 'decision').map((node) => ({
    id: node.getAttribute('id'),
    label: node.getAttribute('name') || node.getAttribute('id'),
    outputs: all(node, 'output').map((each) => each.getAttribute('name')).filter(Boolean),
  }));
}

function processesOf(text) {
  return all(parsedXml(text), 'process').map((node) => ({ id: node.getAttribute('id'), label: node.getAttribute('name') || node.getAttribute('id') }));
}

function stepsWithForm(text) {
  return all(parsedXml(text), 'formDefinition').map((node) => {
    const step = node.parentNode.parentNode;
    return { formId: node.getAttribute('formId'), label: step.getAttribute('name') || step.getAttribute('id') };
  });
}
