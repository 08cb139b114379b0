/**
 * What differs between two models of a process: elements added, removed, changed, moved — and what of them. bpmn-js-differ finds the
 * pairs; two things are ours: an element is called moved only when its place on the drawing differs (a label without a place of its own, an
 * attribute more at the shape are no move), and a change says which of its settings it is.
 */
import { diff } from 'bpmn-js-differ';

import dictionary from '../i18n/differ.zh.json';
import { addWords, words } from './words.js';

addWords('zh', dictionary);

/** Key of the differ, name of the kind, its word, and the sides on which it is marked. */
const KINDS = [
  ['_added', 'added', 'Added', ['new']],
  ['_removed', 'removed', 'Removed', ['old']],
  ['_changed', 'changed', 'Changed', ['old', 'new']],
  ['_layoutChanged', 'moved', 'Moved', ['old', 'new']],
];

/** Property of an element, or type of an extension element → what the panel calls it. What is not here is called “other settings”. */
const CALLED = {
  name: 'name',
  documentation: 'what is written about it',
  conditionExpression: 'condition',
  sourceRef: 'where the flow begins',
  targetRef: 'where the flow ends',
  default: 'default flow',
  eventDefinitions: 'kind of event',
  loopCharacteristics: 'multi-instance',
  cancelActivity: 'interrupting or not',
  isInterrupting: 'interrupting or not',
  isExecutable: 'executable or not',
  attachedToRef: 'step it is attached to',
  'zeebe:FormDefinition': 'form',
  'zeebe:AssignmentDefinition': 'people',
  'zeebe:TaskSchedule': 'due date',
  'zeebe:PriorityDefinition': 'priority',
  'zeebe:IoMapping': 'inputs and outputs',
  'zeebe:TaskDefinition': 'job',
  'zeebe:TaskHeaders': 'job',
  'zeebe:CalledDecision': 'decision',
  'zeebe:CalledElement': 'called process',
  'zeebe:Script': 'script',
  'zeebe:Properties': 'settings of the office',
};
const SHORT = 60;
/** Lists that other elements write into this one; those elements are named themselves. */
const MIRRORED = new Set(['incoming', 'outgoing', 'di', 'flowNodeRef', 'flowElements', 'artifacts', 'laneSets']);

/** id → element, over everything that a model contains. */
function elements(root) {
  const found = new Map();
  const walk = (element) => {
    if (element.id) {
      found.set(element.id, element);
    }
    for (const property of element.$descriptor.properties) {
      if (!property.isReference && !property.isVirtual) {
        const value = element[property.ns.localName] ?? element[property.name];
        [value].flat().forEach((each) => each?.$descriptor && each.$parent === element && walk(each));
      }
    }
  };
  walk(root);
  return found;
}

/** A value as a text that two of the same say alike; references by their id. */
function told(value, reference = false) {
  if (Array.isArray(value)) {
    return `[${value.map((each) => told(each, reference)).join()}]`;
  }
  if (!value?.$type) {
    return JSON.stringify(value ?? null);
  }
  if (reference) {
    return value.id;
  }
  const properties = (value.$descriptor?.properties ?? []).filter((each) => !each.isVirtual && !MIRRORED.has(each.ns.localName));
  const said = properties.map((each) => [each.name, value[each.ns.localName] ?? value[each.name], each.isReference]);
  const others = Object.entries(value.$attrs ?? {}).map(([name, each]) => [name, each, false]);
  const own = value.$descriptor?.isGeneric ? Object.entries(value).filter(([name]) => !name.startsWith('$')).map(([name, each]) => [name, each, false]) : [];
  return `{${value.$type}${[...said, ...others, ...own].filter(([, each]) => each !== undefined && each?.length !== 0).map(([name, each, byName]) => `${name}:${told(each, byName)}`).join()}}`;
}

const short = (value) => {
  const text = value === undefined || value === null ? '' : String(value.body ?? value.id ?? value);
  return text.length > SHORT ? `${text.slice(0, SHORT)}…` : text;
};

/** The settings of one element that differ, in words: `名称：办理 → 复核办理`. */
function details(old, fresh) {
  const lines = new Map();
  const add = (key, before, after) => {
    const name = words(CALLED[key] ?? 'other settings');
    const shown = short(before) !== short(after) && ![before, after].some((each) => Array.isArray(each) || (each?.$type && !each.body && !each.id));
    lines.set(name, shown ? words('{name}: {before} → {after}', { name, before: short(before) || words('(empty)'), after: short(after) || words('(empty)') }) : name);
  };
  for (const { name, ns, isReference, isVirtual } of fresh.$descriptor.properties) {
    if (isVirtual || MIRRORED.has(ns.localName) || ns.localName === 'extensionElements') {
      continue;
    }
    const [before, after] = [old, fresh].map((each) => each[ns.localName] ?? each[name]);
    if (told(before, isReference) !== told(after, isReference)) {
      add(ns.localName, before, after);
    }
  }
  const kept = (each) => byType(each.extensionElements?.values ?? []);
  const [before, after] = [kept(old), kept(fresh)];
  for (const type of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (told(before[type]) !== told(after[type])) {
      add(type, before[type] ?? [], after[type] ?? []);
    }
  }
  return [...lines.values()];
}

function byType(values) {
  const groups = {};
  values.forEach((each) => (groups[each.$type] ??= []).push(each));
  return groups;
}

/** Element id → its place on the drawing. */
function places(definitions) {
  const found = new Map();
  for (const diagram of definitions.diagrams ?? []) {
    for (const each of diagram.plane?.planeElement ?? []) {
      const { x, y, width, height } = each.bounds ?? {};
      found.set(each.bpmnElement?.id, JSON.stringify([x, y, width, height, each.isExpanded ?? null, (each.waypoint ?? []).map((point) => [point.x, point.y])]));
    }
  }
  return found;
}

/** @returns {{id: string, kind: string, label: string, sides: string[], name: string, details: string[]}[]} */
export function modelDifferences(old, fresh) {
  const found = diff(old, fresh);
  const [oldPlaces, freshPlaces] = [places(old), places(fresh)];
  const [before, after] = [elements(old), elements(fresh)];
  return KINDS.flatMap(([key, kind, label, sides]) =>
    Object.entries(found[key] ?? {})
      .filter(([id]) => kind !== 'moved' || oldPlaces.get(id) !== freshPlaces.get(id))
      .map(([id, about]) => {
        const element = about.model ?? about;
        const both = kind === 'changed' && before.get(id) && after.get(id);
        return { id, kind, label: words(label), sides, name: element?.name || id, details: both ? details(before.get(id), after.get(id)) : [] };
      }),
  );
}

/** One difference as a line: `修改：复核办理（名称：办理 → 复核办理）`. */
export const differenceText = ({ label, name, details: said }) =>
  words(said.length ? '{label}: {name} ({details})' : '{label}: {name}', { label, name, details: said.join(words('; ')) });
