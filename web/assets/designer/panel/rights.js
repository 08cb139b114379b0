/**
 * Rights to the fields of the form at this step (字段权限): a table of the fields with three choices each. Written as
 * `fields.hidden` and `fields.readonly`, lists of keys with commas, so that one form can serve several steps.
 */
import { h } from '@bpmn-io/properties-panel/preact';

import { words } from '../words.js';
import { viewEntry } from './entries.js';
import { carrier, Changes, extension, propertiesOf } from './properties.js';

const CHOICES = [
  ['edit', 'Fill in'],
  ['readonly', 'Read-only'],
  ['hidden', 'Hidden'],
];
const LISTS = { hidden: 'fields.hidden', readonly: 'fields.readonly' };

const names = (text) => (text ?? '').split(',').map((each) => each.trim()).filter(Boolean);
const covers = (list, path) => list.some((name) => path === name || path.startsWith(`${name}.`));

/** `{hidden: [name], readonly: [name]}` */
export const readRights = (properties) => Object.fromEntries(Object.entries(LISTS).map(([right, name]) => [right, names(properties[name])]));

export const rightOf = (rights, path) => (covers(rights.hidden, path) ? 'hidden' : covers(rights.readonly, path) ? 'readonly' : 'edit');

/**
 * The rights after `path` was given `right`. The name of a group or list stands for everything in it: it is written out first, so
 * that a part of it can be taken back. `paths` are all fields of the form.
 */
export function withRight(rights, paths, path, right) {
  const inside = (each) => each === path || each.startsWith(`${path}.`);
  const now = new Map(paths.map((each) => [each, inside(each) ? right : rightOf(rights, each)]));
  // A list is as its columns are: with one of them to be filled in it cannot be closed as a whole.
  for (const list of paths.filter((each) => path.startsWith(`${each}.`))) {
    if (now.get(list) !== right) {
      now.set(list, 'edit');
    }
  }
  const strange = (name) => !paths.some((each) => covers([name], each));
  return Object.fromEntries(
    Object.keys(LISTS).map((which) => {
      const wanted = paths.filter((each) => now.get(each) === which);
      const shortest = wanted.filter((each) => !wanted.some((other) => each.startsWith(`${other}.`)));
      return [which, [...shortest, ...rights[which].filter((name) => strange(name) && name !== path)]];
    }),
  );
}

/** The table; nothing for a step without a form, or with one that is computed. */
export function rightsEntries(element, { get, book }) {
  const bo = carrier(element);
  const formId = extension(bo, 'zeebe:FormDefinition')?.formId;
  const rights = readRights(propertiesOf(bo));
  const fields = book.forms.find((each) => each.id === formId)?.every ?? [];
  const paths = fields.map((each) => each.path);
  const unknown = [...rights.hidden, ...rights.readonly].filter((name) => !paths.some((each) => covers([name], each)));
  if (!fields.length && !unknown.length) {
    return [];
  }
  const write = (next) => new Changes(get, element).properties(Object.fromEntries(Object.entries(LISTS).map(([right, name]) => [name, next[right].join(',')]))).apply();
  const all = (right) => write({ hidden: [], readonly: [], ...(right === 'edit' ? {} : { [right]: paths.filter((each) => !paths.some((other) => each.startsWith(`${other}.`))) }) });
  const row = ({ path, label, depth }, missing = false) => {
    const id = `bio-properties-panel-banjie-right-${path}`;
    const choose = (event) => write(withRight(readRights(propertiesOf(bo)), paths, path, event.target.value));
    return h(
      'tr',
      { key: path, 'data-field-right': path },
      h('th', { scope: 'row', class: depth ? 'designer__right-part' : '' }, h('label', { for: id, title: path }, label)),
      h(
        'td',
        null,
        h(
          'select',
          { id, class: 'bio-properties-panel-input', value: rightOf(rights, path), onChange: choose },
          CHOICES.filter(([right]) => !missing || right === 'edit' || right === rightOf(rights, path)).map(([right, text]) =>
            h('option', { key: right, value: right }, missing && right === 'edit' ? words('Take it off the list') : words(text)),
          ),
        ),
      ),
    );
  };
  const table = viewEntry({
    id: 'banjie-rights',
    isEdited: () => Boolean(rights.hidden.length || rights.readonly.length),
    view: () =>
      h(
        'div',
        { class: 'bio-properties-panel-entry designer__rights', 'data-entry-id': 'banjie-rights' },
        h('p', { class: 'bio-properties-panel-description' }, words('What is hidden is neither asked for nor changed; what is read-only shows the value of the case. The form stays one and the same for all steps.')),
        h(
          'div',
          { class: 'designer__opening' },
          h('button', { type: 'button', class: 'btn btn-sm', 'data-rights': 'readonly', onClick: () => all('readonly') }, words('All read-only')),
          h('button', { type: 'button', class: 'btn btn-sm', 'data-rights': 'edit', onClick: () => all('edit') }, words('All to be filled in')),
        ),
        h(
          'table',
          null,
          h('tbody', null, fields.map((each) => row(each)), unknown.map((name) => row({ path: name, label: words('{value} (not in the form)', { value: name }) }, true))),
        ),
      ),
  });
  return [table];
}
