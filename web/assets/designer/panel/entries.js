/** Entries of the properties panel made from rows of the table: each knows how to show and to write one attribute. */
import { CheckboxEntry, FeelEntry, SelectEntry, TextFieldEntry } from '@bpmn-io/properties-panel';
import { h } from '@bpmn-io/properties-panel/preact';
import { useService } from 'bpmn-js-properties-panel';

import { words } from '../words.js';
import { carrier, Changes, propertiesOf } from './properties.js';

/** Shown in a choice for "by an expression": a value of the model that begins with `=`. */
const COMPUTED = '=';

/** A select whose list comes from the book; a value that is not in it stays, and says so. */
export function choiceEntry({ id, label, help, options, get, set, computed = false, none = words('(none)') }) {
  return {
    id,
    isEdited: isFilled,
    component: function Choice({ element }) {
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
    },
  };
}

export function feelEntry({ id, label, help, feel, get, set, variables, placeholder }) {
  return {
    id,
    isEdited: isFilled,
    component: function Expression({ element }) {
      const debounce = useService('debounceInput');
      const translate = useService('translate');
      return h(FeelEntry, { element, id, label, description: help, feel, debounce, getValue: get, setValue: set, variables: variables(), translate, placeholder });
    },
  };
}

export function textEntry({ id, label, help, get, set, validate, placeholder }) {
  return {
    id,
    isEdited: isFilled,
    component: function Text({ element }) {
      const debounce = useService('debounceInput');
      return h(TextFieldEntry, { element, id, label, description: help, debounce, getValue: get, setValue: set, validate, placeholder });
    },
  };
}

export function flagEntry({ id, label, help, get, set }) {
  return {
    id,
    isEdited: (node) => Boolean(node?.checked),
    component: function Flag({ element }) {
      return h(CheckboxEntry, { element, id, label, description: help, getValue: get, setValue: set });
    },
  };
}

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
      entries.push(feelEntry({ id: `${id}-feel`, label: words('Expression'), feel: 'required', get: value, set, variables }));
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
