/** "Keep as a scenario": a name, a title, and what is expected, filled in from what happened and open to change. */
import { dialog, node } from '../designer/dom.js';
import { ask } from '../lib/dialogs.js';
import { toast } from '../lib/toasts.js';
import { words } from '../lib/words.js';
import { written } from './log.js';

const labels = {
  state: 'State at the end', path: 'Finished, in this order', open: 'Open at the end', status: 'Case status', result: 'Result', rungs: 'Rungs that fire',
  extended: 'Extensions', incidents: 'Stands still at',
};
const states = { ACTIVE: 'in progress', COMPLETED: 'completed', TERMINATED: 'ended early', SUSPENDED: 'suspended' };
const lists = new Set(['path', 'open', 'rungs', 'incidents']);
const NAME = /^[A-Za-z0-9_\-\u4e00-\u9fff]{1,60}$/;

const parsed = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

/** What the ids of a list are called in the drawing, for whoever reads them. */
const called = (value, names) => value.map((id) => names[id] ?? id).join(' → ');

/** One expectation; `names` is given for those of the run itself: a variable may bear any name, also one of theirs. */
function line(name, value, ticked, label, names = null) {
  const own = names !== null;
  const listed = own && lists.has(name);
  const box = node('input', { type: 'checkbox', class: 'form-check-input', 'aria-label': words('Expect: {what}', { what: label }) });
  box.checked = ticked;
  if (own && name === 'state') {
    const select = node('select', { class: 'form-select form-select-sm', 'aria-label': label }, ...Object.entries(states).map(([state, text]) => node('option', { value: state, text: words(text) })));
    select.value = value;
    return { name, box, text: select, read: () => select.value, label: node('span', { text: label }) };
  }
  const shown = listed ? value.join(', ') : written(value);
  const text = node(shown.length > 60 ? 'textarea' : 'input', { class: 'form-control form-control-sm', 'aria-label': label, rows: shown.length > 60 ? '3' : null });
  text.value = shown;
  const hint = listed && name !== 'rungs' && node('div', { class: 'soft', text: called(value, names) });
  const read = () => (listed ? text.value.split(/[,，、\s]+/).filter(Boolean) : own && name === 'extended' ? parsed(text.value) : text.value);
  return { name, box, text: hint ? node('div', {}, text, hint) : text, read, label: node('span', { text: label }) };
}

export async function askAndKeep({ page, run, request, kept }) {
  const { suggested, variables, names } = run.shown;
  const title = node('input', { class: 'form-control', required: true, maxlength: '120', 'aria-label': words('Title') });
  title.value = run.scenario.name ? run.scenario.title : '';
  const name = node('input', { class: 'form-control', required: true, pattern: '[A-Za-z0-9_\\-\u4e00-\u9fff]{1,60}', maxlength: '60', 'aria-label': words('Name of the file') });
  name.value = run.scenario.name ?? `run_${page.scenarios.length + 1}`;
  const expected = Object.entries(labels).filter(([key]) => key in suggested).map(([key, label]) => line(key, suggested[key], key !== 'rungs', words(label), names));
  const plain = Object.entries(variables).filter(([key, value]) => ['string', 'number', 'boolean'].includes(typeof value) && !/^(case_no|starter|received_at)$/.test(key));
  const chosen = plain.map(([key, value]) => line(key, value, key in (run.scenario.expect?.variables ?? {}), key));
  const rows = (lines) => lines.flatMap((each) => [each.box, each.label, each.text]);
  const content = [
    node('p', { class: 'soft', text: words('The scenario is a file of the draft. Before publishing all scenarios are played and must end as expected.') }),
    node('label', { class: 'd-block mb-2' }, node('span', { class: 'form-label', text: words('Title') }), title),
    node('label', { class: 'd-block mb-2' }, node('span', { class: 'form-label', text: words('Name of the file') }), name),
    node('h3', { class: 'h4', text: words('What is expected') }),
    node('div', { class: 'trying__expect' }, ...rows(expected)),
    plain.length ? node('details', {}, node('summary', { text: words('Variables ({count})', { count: plain.length }) }), node('div', { class: 'trying__expect' }, ...rows(chosen))) : null,
  ].filter(Boolean);
  const answer = await dialog(words('Keep as a scenario'), content, [['keep', words('Keep'), 'btn-primary']]);
  if (answer !== 'keep') {
    return;
  }
  if (!NAME.test(name.value) || !title.value.trim()) {
    toast(words('Not kept: give it a title, and a name of letters, digits and underscores.'), { kind: 'warning' });
    return;
  }
  const there = page.scenarios.find((each) => each.name === name.value);
  if (there && name.value !== run.scenario.name && !(await ask(words('Replace the scenario “{title}”?', { title: there.title }), { label: words('Replace') }))) {
    return;
  }
  const expect = Object.fromEntries(expected.filter((each) => each.box.checked).map((each) => [each.name, each.read()]));
  const wanted = Object.fromEntries(chosen.filter((each) => each.box.checked).map((each) => [each.name, typeof variables[each.name] === 'string' ? each.text.value : parsed(each.text.value)]));
  if (Object.keys(wanted).length) {
    expect.variables = wanted;
  }
  const { name: _, ...scenario } = run.scenario;
  const text = `${JSON.stringify({ ...scenario, title: title.value.trim(), expect }, null, 2)}\n`;
  try {
    const saved = await request(page.urls.save, { revision: page.draft.revision, files: { [`scenarios/${name.value}.json`]: text }, note: '' }, { method: 'PUT' });
    run.scenario = { ...scenario, title: title.value.trim(), expect, name: name.value };
    kept(name.value, text, saved.revision);
    toast(words('Kept: {title}', { title: title.value.trim() }), { kind: 'success' });
  } catch (error) {
    toast(error.body?.message ?? words('The server could not do this. Nothing was changed; please try again.'), { kind: 'error' });
  }
}
