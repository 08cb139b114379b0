/** What happened, the limits and the variables of a dry run. */
import { button, node } from '../designer/dom.js';
import { toast } from '../lib/toasts.js';
import { words } from '../lib/words.js';

const verbs = {
  start: 'The case was opened', complete: 'Finished', claim: 'Taken', unclaim: 'Given back', transfer: 'Handed on', extend: 'Asked for more time',
  message: 'Button of the case page', publish: 'Message', signal: 'Signal', urge: 'Urged', pause: 'Limit paused', resume: 'Limit goes on', grant: 'Limit extended', job: 'Service answered', wait: 'Time passed',
};

const at = (moment) => node('time', { datetime: moment.iso, class: 'soft', text: moment.text });

/** One line a step, what happened in it under it; a line that is about an element shows it in the drawing. */
export function showLog(place, shown, pick, backTo) {
  place.replaceChildren();
  for (const record of shown?.records ?? []) {
    const lines = record.happenings.map((each) => {
      const timed = record.do === 'wait' ? [at(each.at), ' '] : [];
      const line = node('li', { class: `kind-${each.kind} level-${each.level}`, 'data-element': each.element, tabindex: each.element ? '0' : null }, ...timed, each.text);
      if (each.element) {
        line.addEventListener('click', () => pick(each.element));
        line.addEventListener('keydown', (event) => event.key === 'Enter' && pick(each.element));
      }
      return line;
    });
    const changed = Object.entries(record.changed);
    if (changed.length) {
      const rows = changed.map(([name, value]) => node('li', {}, node('span', { class: 'code', text: name }), ` = ${short(written(value))}`));
      lines.push(node('li', { class: 'kind-variables soft' }, node('details', {}, node('summary', { text: words('Variables: {names}', { names: changed.map(([name]) => name).join('、') }) }), node('ul', {}, ...rows))));
    }
    const head = [words(verbs[record.do]), record.task && `“${record.task}”`, record.by].filter(Boolean).join(' · ');
    const later = shown.records.length - 1 - record.number;
    const back = later > 0 ? button(words('Back to here'), () => backTo(record.number), 'btn-link p-0 trying__rewind') : null;
    place.append(node('li', {}, node('span', {}, node('strong', { text: head }), ' ', at(record.at), ' ', back ?? ''), node('ul', {}, ...lines)));
  }
  if (!place.children.length) {
    place.append(node('li', { class: 'soft', text: words('Nothing yet. Open a case at the right.') }));
  }
  place.scrollTop = place.scrollHeight;
}

const table = (heads, rows) => node('table', { class: 'work' }, node('thead', {}, node('tr', {}, ...heads.map((text) => node('th', { scope: 'col', text })))), node('tbody', {}, ...rows.map((cells) => node('tr', {}, ...cells.map((cell) => node('td', {}, cell))))));

const states = { RUNNING: 'running', PAUSED: 'paused', STOPPED: 'stopped' };

/** Pause, let go on, or extend a limit by decision, as the chief does on the case's page. */
function decisions(shown, step) {
  const open = shown.clocks.filter((each) => each.state !== 'STOPPED');
  if (!open.length || !shown.deciders.length) {
    return '';
  }
  const select = (label, options) => node('label', { class: 'd-block mb-2' }, node('span', { class: 'form-label', text: label }), node('select', { class: 'form-select form-select-sm' }, ...options.map(([value, text]) => node('option', { value, text }))));
  const input = (label, attributes) => node('label', { class: 'd-block mb-2' }, node('span', { class: 'form-label', text: label }), node('input', { class: 'form-control form-control-sm', ...attributes }));
  const read = (field) => field.querySelector('select, input').value.trim();
  const rule = select(words('Limit'), [...new Map(open.map((each) => [each.rule, `${each.label}（${each.rule}）`]))]);
  const who = select(words('Who decides'), shown.deciders.map((each) => [each.login, `${each.name}（${each.place}）`]));
  const kind = select(words('Kind of pause'), shown.kinds.map((each) => [each.id, each.label]));
  const reason = input(words('Reason'), { maxlength: '500' });
  const amount = input(words('Extend by'), { type: 'number', min: '1', max: '3660', value: '5' });
  const decide = (name, more) => async () => {
    const failure = await step({ do: name, by: read(who), rule: read(rule), ...more() });
    if (failure) {
      toast(failure.text, { kind: 'warning' });
    }
  };
  const said = () => (read(reason) ? { reason: read(reason) } : { reason: words('Dry run') });
  return node('details', { class: 'trying__task mt-2' }, node('summary', { text: words('Decide on a limit') }), rule, who, kind, reason, amount, node('div', { class: 'trying__buttons' },
    button(words('Pause'), decide('pause', () => ({ kind: read(kind), ...said() }))),
    button(words('Let it go on'), decide('resume', () => ({ kind: read(kind), ...said() }))),
    button(words('Extend'), decide('grant', () => ({ amount: Number(read(amount)), ...said() })))));
}

export function showLimits(place, shown, step) {
  const clocks = shown?.clocks ?? [];
  if (!clocks.length) {
    place.replaceChildren(node('p', { class: 'soft', text: words('No limit runs.') }));
    return;
  }
  const rows = clocks.map((each) => [
    `${each.label}（${each.rule}）`,
    words(states[each.state] ?? each.state),
    each.due ? `${each.due.text}${each.provisional ? ` ${words('(estimated)')}` : ''}` : '–',
    each.next?.at ? `${each.next.text} · ${each.next.at.text}` : '–',
  ]);
  place.replaceChildren(table([words('Limit'), words('State'), words('Due'), words('Next rung')], rows), decisions(shown, step));
}

const short = (text) => (text.length > 200 ? `${text.slice(0, 199)}…` : text);

export const written = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

export function showVariables(place, shown) {
  const names = Object.keys(shown?.variables ?? {}).sort();
  if (!names.length) {
    place.replaceChildren(node('p', { class: 'soft', text: words('No variable yet.') }));
    return;
  }
  place.replaceChildren(table([words('Variable'), words('Value')], names.map((name) => [node('span', { class: 'code', text: name }), written(shown.variables[name])])));
}
