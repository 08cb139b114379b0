/** Entries of the properties panel made from rows of the table: each knows how to show and to write one attribute. */
import { CheckboxEntry, FeelEntry, SelectEntry, TextFieldEntry } from '@bpmn-io/properties-panel';
import { h } from '@bpmn-io/properties-panel/preact';
import { useService } from 'bpmn-js-properties-panel';

import { words } from '../words.js';
import { carrier, Changes, propertiesOf } from './properties.js';

/** Shown in a choice for "by an expression": a value of the model that begins with `=`. */
const COMPUTED = '=';

/*
 * The components stand here by themselves, and what they show comes with the entry: a component made anew for each entry would be mounted
 * anew at each change, and take the focus away from who is typing in it.
 */

function Choice({ element, id, label, help, options, get, set, computed, none }) {
  const getOptions = () => {
    const list = options().map(({ id: value, label: text }) => ({ value, label: text }));
    const now = get();
    const shown = [{ value: '', label: none }, ...list];
    if (computed) {
      shown.push({ value: COMPUTED, label: words('By an expression …') });
    }
    if (now && !now.startsWith('=') && !shown.some((each) => each.value === now)) {
      shown.push({ value: now, label: words('{value} (not in the list)', { value: now }) });
    }
    return shown;
  };
  return h(SelectEntry, {
    element,
    id,
    label,
    description: help,
    getOptions,
    getValue: () => (computed && get()?.startsWith('=') ? COMPUTED : (get() ?? '')),
    setValue: (value) => set(value === COMPUTED ? (get()?.startsWith('=') ? get() : '=') : value),
  });
}

function Expression({ element, id, label, help, feel, get, set, variables, placeholder }) {
  const debounce = useService('debounceInput');
  const translate = useService('translate');
  return h(FeelEntry, { element, id, label, description: help, feel, debounce, getValue: get, setValue: set, variables: variables(), translate, placeholder });
}

function Text({ element, id, label, help, get, set, validate, placeholder }) {
  const debounce = useService('debounceInput');
  return h(TextFieldEntry, { element, id, label, description: help, debounce, getValue: get, setValue: set, validate, placeholder });
}

function Flag({ element, id, label, help, get, set }) {
  return h(CheckboxEntry, { element, id, label, description: help, getValue: get, setValue: set });
}

const View = ({ view }) => view();

/** A select whose list comes from the book; a value that is not in it stays, and says so. */
export const choiceEntry = (about) => ({ computed: false, none: words('(none)'), ...about, isEdited: isFilled, component: Choice });

export const feelEntry = (about) => ({ ...about, isEdited: isFilled, component: Expression });

export const textEntry = (about) => ({ ...about, isEdited: isFilled, component: Text });

export const flagEntry = (about) => ({ ...about, isEdited: (node) => Boolean(node?.checked), component: Flag });

/** Anything else: `view()` gives what is shown. */
export const viewEntry = (about) => ({ ...about, component: View });

/** A dot on the group when something is set; the node is the input of the entry. */
function isFilled(node) {
  return Boolean(node?.value ?? node?.textContent?.trim());
}

/** The entries of one attribute of `element`. */
export function fieldEntries(field, element, { get, book, scope }) {
  const bo = carrier(element);
  const id = `banjie-${field.name}`;
  const value = () => propertiesOf(bo)[field.name] ?? '';
  const set = (next) => new Changes(get, element).properties({ [field.name]: next }).apply();
  const about = { id, label: words(field.label), help: field.help && words(field.help), get: value, set };
  const variables = () => scope.at(bo);
  if (field.kind === 'choice') {
    const options = () => [
      ...(field.options ?? field.extra ?? []).map(([key, label]) => ({ id: key, label: words(label) })),
      ...(field.from ? book.list(field.from) : []),
    ];
    const entries = [choiceEntry({ ...about, options, computed: field.expression })];
    if (field.expression && value().startsWith('=')) {
      // An expression that is empty for a moment is still one: the field must not vanish under the hands.
      const write = (text) => set(text || '=');
      entries.push(feelEntry({ id: `${id}-feel`, label: words('Expression'), help: words('Computed from the values of the case when the step is reached.'), feel: 'required', get: value, set: write, variables }));
    }
    return entries;
  }
  if (field.kind === 'flag') {
    return [flagEntry({ ...about, get: () => value() === 'true', set: (checked) => set(checked ? 'true' : '') })];
  }
  if (field.kind === 'text') {
    const validate = (text) => (field.pattern && text && !field.pattern.test(text) ? words('Digits only, please.') : undefined);
    return [textEntry({ ...about, validate })];
  }
  return [feelEntry({ ...about, feel: field.kind === 'feel' ? 'required' : 'optional', variables })];
}
