/** form-js with the office's words and calendar; a filled form and a read-only one are the same thing with one property. */
import { Form } from '@bpmn-io/form-js-viewer';
import flatpickr from 'flatpickr';
import { Mandarin } from 'flatpickr/dist/esm/l10n/zh.js';

import { isChinese, translateModule } from './words.js';

if (isChinese()) {
  // form-js uses the same instance of the date picker, so this reaches its fields too.
  // The names of the fields for screen readers are not among the package's own Chinese words.
  flatpickr.localize({ ...Mandarin, monthAriaLabel: '月份', yearAriaLabel: '年份', hourAriaLabel: '小时', minuteAriaLabel: '分钟' });
}

/**
 * Show `schema` with `data` in `container`. `files` maps a field's value ("files::…") to `[{name, size}]`, the documents the
 * server already has: form-js would otherwise empty a field whose files this browser has never seen.
 */
export async function showForm(container, { schema, data = {}, readonly = false, files = {} }) {
  // Without debouncing: form-js reads a delayed value from the page, and what was typed is gone if another field redraws the form meanwhile.
  const form = new Form({ additionalModules: [translateModule], debounce: false });
  form.setProperty('readOnly', readonly);
  await form.importSchema(schema, data ?? {});
  const registry = form.get('fileRegistry');
  for (const [key, stored] of Object.entries(files)) {
    registry.setFiles(key, stored.map(({ name }) => Object.assign(new File([], name), { stored: true })));
  }
  form.attachTo(container);
  return form;
}

const same = (left, right) => left.length === right.length && left.every((part, index) => String(part) === String(right[index]));

/**
 * Put the server's sentences to their fields. `errors` maps a path ("items.0.name") to sentences; returns `{homeless, forget}`:
 * what belongs to no field on the page, so that none is lost, and a function to call before the form is checked again.
 *
 * form-js validates a field anew when it is drawn and when it is left; a sentence of the server must survive that for as long
 * as the value it is about stands there.
 */
export function showErrors(form, errors) {
  const instances = form.get('formFieldInstanceRegistry').getAllKeyed();
  const validator = form.get('validator');
  const ownCheck = validator.validateFieldInstance.bind(validator);
  const refused = new Map();
  const state = {};
  const homeless = {};
  for (const [path, sentences] of Object.entries(errors)) {
    const instance = instances.find((candidate) => same(candidate.valuePath, path.split('.')));
    if (!instance) {
      homeless[path] = sentences;
      continue;
    }
    refused.set(path, { sentences, value: JSON.stringify(instance.value) });
    const steps = [instance.id, ...Object.values(instance.indexes ?? {})];
    const last = steps.pop();
    const home = steps.reduce((node, stepName) => (node[stepName] ??= {}), state);
    home[last] = sentences;
  }
  validator.validateFieldInstance = (instance, value) => {
    const told = refused.get(instance.valuePath.join('.'));
    const stands = told && told.value === JSON.stringify(value);
    return [...ownCheck(instance, value), ...(stands ? told.sentences : [])];
  };
  form._setState({ errors: state });
  return { homeless, forget: () => refused.clear() };
}

/** The fields are known to form-js only after they were drawn. */
export const drawn = (form) =>
  new Promise((resolve) => {
    const look = (left) =>
      form.get('formFieldInstanceRegistry').getAllKeyed().length || left === 0 ? resolve() : setTimeout(look, 20, left - 1);
    look(50);
  });
