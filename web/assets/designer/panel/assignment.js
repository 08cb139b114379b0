/**
 * Who does a step: a strategy chosen from a list, written as `zeebe:assignmentDefinition`. What is there is read back into
 * its strategy; what no strategy explains is shown as the expression it is.
 */
import { words } from '../words.js';
import { choiceEntry, feelEntry, flagEntry, textEntry } from './entries.js';
import { carrier, Changes, extension, propertiesOf } from './properties.js';

const PART = { assignee: undefined, candidateGroups: undefined, candidateUsers: undefined };
const NAME = '[A-Za-z_\\u4e00-\\u9fff][\\w\\u4e00-\\u9fff.]*';
const CODE = '[\\w-]+';

/**
 * One way to name the people: how it is written, how it is recognised, and what it asks for.
 * `asks`: `[key, list of the book or 'fields'/'steps', label]`.
 */
export const STRATEGIES = [
  { id: 'role', label: 'Everybody of a role', asks: [['role', 'roles', 'Role']], write: ({ role }) => ({ candidateGroups: role }), read: { in: 'candidateGroups', as: new RegExp(`^(?<role>${CODE})$`) } },
  { id: 'role_in', label: 'A role in one section', asks: [['role', 'roles', 'Role'], ['section', 'sections', 'Section']], write: ({ role, section }) => ({ candidateGroups: `${role}@${section}` }), read: { in: 'candidateGroups', as: new RegExp(`^(?<role>${CODE})@(?<section>${CODE})$`) } },
  { id: 'section', label: 'Everybody of a section', asks: [['section', 'sections', 'Section']], write: ({ section }) => ({ candidateGroups: `section:${section}` }), read: { in: 'candidateGroups', as: new RegExp(`^section:(?<section>${CODE})$`) } },
  { id: 'role_of_starter', label: 'A role in the section of who registered the case', asks: [['role', 'roles', 'Role']], write: ({ role }) => ({ candidateGroups: `=["${role}@" + section of(starter)]` }), read: { in: 'candidateGroups', as: new RegExp(`^=\\[?"(?<role>${CODE})@" ?\\+ ?section of\\(starter\\)\\]?$`) } },
  { id: 'role_of_handler', label: 'A role in the section of who handled an earlier step', asks: [['role', 'roles', 'Role'], ['step', 'steps', 'Earlier step']], write: ({ role, step }) => ({ candidateGroups: `=["${role}@" + section of(handler("${step}"))]` }), read: { in: 'candidateGroups', as: new RegExp(`^=\\["(?<role>${CODE})@" ?\\+ ?section of\\(handler\\("(?<step>[^"]+)"\\)\\)\\]$`) } },
  { id: 'starter', label: 'Who registered the case', asks: [], write: () => ({ assignee: '=starter' }), read: { in: 'assignee', as: /^=\s*starter$/ } },
  { id: 'handler', label: 'Who handled an earlier step', asks: [['step', 'steps', 'Earlier step']], write: ({ step }) => ({ assignee: `=handler("${step}")` }), read: { in: 'assignee', as: /^=\s*handler\("(?<step>[^"]+)"\)$/ } },
  { id: 'person', label: 'One person', asks: [['person', 'people', 'Person']], write: ({ person }) => ({ assignee: person }), read: { in: 'assignee', as: new RegExp(`^(?<person>${CODE})$`) } },
  { id: 'field_person', label: 'The person chosen in a form', asks: [['field', 'fields', 'Field']], write: ({ field }) => ({ assignee: `=${field}` }), read: { in: 'assignee', as: new RegExp(`^=\\s*(?<field>${NAME})$`) } },
  { id: 'field_people', label: 'One of the people chosen in a form', asks: [['field', 'fields', 'Field']], write: ({ field }) => ({ candidateUsers: `=${field}` }), read: { in: 'candidateUsers', as: new RegExp(`^=\\s*(?<field>${NAME})$`) } },
  { id: 'role_of_field', label: 'A role in the section chosen in a form', asks: [['role', 'roles', 'Role'], ['field', 'fields', 'Field with the section']], write: ({ role, field }) => ({ candidateGroups: `="${role}@" + ${field}` }), read: { in: 'candidateGroups', as: new RegExp(`^=\\[?"(?<role>${CODE})@" ?\\+ ?(?<field>${NAME})\\]?$`) } },
  { id: 'section_of_field', label: 'Everybody of the section chosen in a form', asks: [['field', 'fields', 'Field with the section']], write: ({ field }) => ({ candidateGroups: `="section:" + ${field}` }), read: { in: 'candidateGroups', as: new RegExp(`^=\\[?"section:" ?\\+ ?(?<field>${NAME})\\]?$`) } },
  { id: 'groups_of_field', label: 'Groups named by a variable', asks: [['field', 'fields', 'Variable']], write: ({ field }) => ({ candidateGroups: `=${field}` }), read: { in: 'candidateGroups', as: new RegExp(`^=\\s*(?<field>${NAME})$`) } },
  { id: 'groups', label: 'Several groups', asks: [['text', 'text', 'Groups, with commas']], write: ({ text }) => ({ candidateGroups: text }), read: { in: 'candidateGroups', as: /^(?<text>[^=].*,.*)$/ } },
  { id: 'feel', label: 'By an expression …', asks: [['text', 'feel', 'Expression for the groups']], write: ({ text }) => ({ candidateGroups: text || '=' }), read: { in: 'candidateGroups', as: /^(?<text>[\s\S]+)$/ } },
  { id: 'feel_person', label: 'A person by an expression …', asks: [['text', 'feel', 'Expression for the person']], write: ({ text }) => ({ assignee: text || '=' }), read: { in: 'assignee', as: /^(?<text>[\s\S]+)$/ } },
  { id: 'feel_people', label: 'People by an expression …', asks: [['text', 'feel', 'Expression for the people']], write: ({ text }) => ({ candidateUsers: text || '=' }), read: { in: 'candidateUsers', as: /^(?<text>[\s\S]+)$/ } },
];

/** Strategy and its answers, or null when nobody is named. */
export function readAssignment(bo) {
  const given = extension(bo, 'zeebe:AssignmentDefinition');
  for (const strategy of STRATEGIES) {
    const match = strategy.read.as.exec((given?.[strategy.read.in] ?? '').trim());
    if (match) {
      return { strategy, answers: { ...match.groups } };
    }
  }
  return null;
}

/** Elements that somebody handles, for “earlier step”. */
function steps(get, element) {
  return get('elementRegistry')
    .filter((each) => each.type === 'bpmn:UserTask' && each !== element && !each.labelTarget)
    .map((each) => ({ id: each.businessObject.id, label: each.businessObject.name || each.businessObject.id }));
}

/** Answers of forms, and what mappings and calls bring, without the functions. */
function fields(scope, bo) {
  return scope.at(bo).filter((each) => each.type !== 'function').map((each) => ({ id: each.name, label: each.info ? `${each.name} · ${each.info}` : each.name }));
}

function listOf(from, { get, book, scope }, element) {
  if (from === 'steps') {
    return steps(get, element);
  }
  return from === 'fields' ? fields(scope, carrier(element)) : book.list(from);
}

const first = (list) => list[0]?.id ?? '';

/** Changes of the assignment, for whoever combines them with others. */
export function assign(changes, part) {
  return changes.extension('zeebe:AssignmentDefinition', part ? { ...PART, ...part } : null);
}

export function assignmentEntries(element, tools) {
  const bo = carrier(element);
  const now = readAssignment(bo);
  const write = (strategy, answers) => assign(new Changes(tools.get, element), strategy && strategy.write(answers)).apply();
  const choose = (id) => {
    const strategy = STRATEGIES.find((each) => each.id === id);
    if (!strategy) {
      write(null);
      return;
    }
    const kept = now?.answers ?? {};
    const raw = extension(bo, 'zeebe:AssignmentDefinition')?.[strategy.read.in] ?? '';
    const answers = Object.fromEntries(
      strategy.asks.map(([key, from]) => {
        if (from === 'text' || from === 'feel') {
          return [key, from === 'feel' ? (raw.startsWith('=') ? raw : '=') : raw.startsWith('=') || !raw ? `${first(tools.book.list('roles'))}, ${tools.book.list('roles')[1]?.id ?? ''}` : `${raw}, `];
        }
        return [key, kept[key] ?? first(listOf(from, tools, element))];
      }),
    );
    write(strategy, answers);
  };
  const entries = [
    choiceEntry({
      id: 'banjie-assign',
      label: words('Who does it'),
      help: words('Deputies during leave and people on a substitute list are added by the office, not drawn here.'),
      options: () => STRATEGIES.map((each) => ({ id: each.id, label: words(each.label) })),
      get: () => readAssignment(bo)?.strategy.id ?? '',
      set: choose,
      none: words('(nobody yet)'),
    }),
  ];
  for (const [key, from, label] of now?.strategy.asks ?? []) {
    const id = `banjie-assign-${key}`;
    const get = () => readAssignment(bo)?.answers[key] ?? '';
    const set = (value) => write(now.strategy, { ...now.answers, [key]: value ?? '' });
    if (from === 'text') {
      entries.push(textEntry({ id, label: words(label), help: words('For example: office, section_chief@office'), get, set }));
    } else if (from === 'feel') {
      entries.push(feelEntry({ id, label: words(label), feel: 'required', get, set, variables: () => tools.scope.at(bo) }));
    } else {
      entries.push(choiceEntry({ id, label: words(label), options: () => listOf(from, tools, element), get, set: (value) => value && set(value), none: words('(choose)') }));
    }
  }
  return [...entries, ...excludeEntries(element, tools)];
}

// -- who must keep away --------------------------------------------------------------------------------------------------

const EXCLUDE = /^=\s*\[(?<list>.*)\]\[item != null\]$/;

/** The parts of an `exclude` that was put together here, or null for any other expression. */
export function readExclude(text) {
  if (!text) {
    return [];
  }
  const match = EXCLUDE.exec(text.trim());
  return match ? match.groups.list.split(/\s*,\s*/).filter(Boolean) : null;
}

export const writeExclude = (parts) => (parts.length ? `=[${parts.join(', ')}][item != null]` : '');

function excludeEntries(element, tools) {
  const bo = carrier(element);
  const parts = () => readExclude(propertiesOf(bo).exclude);
  const set = (next) => new Changes(tools.get, element).properties({ exclude: next }).apply();
  if (parts() === null) {
    return [feelEntry({ id: 'banjie-exclude', label: words('Who must keep away'), help: words('A list of people or groups.'), feel: 'required', get: () => propertiesOf(bo).exclude, set, variables: () => tools.scope.at(bo) })];
  }
  const toggle = (part) => (on) => set(writeExclude(on ? [...parts().filter((each) => each !== part), part] : parts().filter((each) => each !== part)));
  const handled = parts().find((each) => each.startsWith('handler('));
  const section = parts().find((each) => each.startsWith('"section:"'));
  const replace = (old, part) => set(writeExclude([...parts().filter((each) => each !== old), ...(part ? [part] : [])]));
  return [
    flagEntry({ id: 'banjie-exclude-starter', label: words('Not who registered the case'), get: () => parts()?.includes('starter'), set: toggle('starter') }),
    choiceEntry({
      id: 'banjie-exclude-handler',
      label: words('Not who handled'),
      options: () => steps(tools.get, element),
      get: () => /"(.+)"/.exec(handled ?? '')?.[1] ?? '',
      set: (id) => replace(handled, id && `handler("${id}")`),
    }),
    choiceEntry({
      id: 'banjie-exclude-section',
      label: words('Not the section named in'),
      help: words('Keeps everybody away whom the case is about.'),
      options: () => fields(tools.scope, bo),
      get: () => /\+ (.+)$/.exec(section ?? '')?.[1] ?? '',
      set: (name) => replace(section, name && `"section:" + ${name}`),
    }),
  ];
}
