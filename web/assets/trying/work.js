/** What can be done now: open the case, finish tasks with their real forms, the case page's buttons, services, the clock. */
import { button, node } from '../designer/dom.js';
import { ask } from '../lib/dialogs.js';
import { drawn, showErrors, showForm } from '../lib/forms.js';
import { toast } from '../lib/toasts.js';
import { words } from '../lib/words.js';

/** A text that begins with "=" would be taken for FEEL by a scenario: it is written as the FEEL text that it is. */
const literal = (value) => {
  if (typeof value === 'string') {
    return value.startsWith('=') ? `=${JSON.stringify(value)}` : value;
  }
  if (Array.isArray(value)) {
    return value.map(literal);
  }
  return value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, literal(each)])) : value;
};

/** The same the other way round, for a form that is filled in once more; what is really computed is left out. */
const plainly = (value) => {
  if (typeof value === 'string' && value.startsWith('=')) {
    try {
      return JSON.parse(value.slice(1));
    } catch {
      return undefined;
    }
  }
  if (Array.isArray(value)) {
    return value.map(plainly);
  }
  return value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plainly(each)])) : value;
};

const person = (each) => `${each.name}${each.place ? `（${each.place}）` : ''}`;

function whoSelect(people, chosen, label = words('Who does it')) {
  const select = node('select', { class: 'form-select form-select-sm', 'aria-label': label }, ...people.map((each) => node('option', { value: each.login, text: person(each) })));
  if (chosen) {
    select.value = chosen;
  }
  return node('label', { class: 'd-block mb-2' }, node('span', { class: 'form-label', text: label }), select);
}

const chosen = (label) => label.querySelector('select').value;

/** A form-js form that is drawn when its place is first unfolded; `read({unchecked})` gives `{data, files}`, or null when it is not complete. */
class Answers {
  constructor(schema, data) {
    this.schema = schema;
    this.data = data;
    this.place = node('div', { class: 'trying__form' });
    this.errors = node('div', { class: 'form-errors', hidden: true, role: 'alert' });
  }

  async draw() {
    if (this.form || this.drawing || !this.schema) {
      return;
    }
    this.drawing = true;
    this.form = await showForm(this.place, { schema: this.schema, data: this.data ?? {} });
    await drawn(this.form);
  }

  read({ unchecked = false } = {}) {
    this.told?.forget();
    if (!this.form) {
      return { data: {}, files: {} };
    }
    const { data, errors } = this.form.submit();
    if (!unchecked && Object.keys(errors).length) {
      setTimeout(() => {
        const first = this.place.querySelector('.fjs-has-errors');
        first?.scrollIntoView({ block: 'center' });
        first?.querySelector('input, textarea, select, button')?.focus({ preventScroll: true });
      }, 50);
      toast(words('{count} to correct', { count: Object.keys(errors).length }), { kind: 'warning' });
      return null;
    }
    const registry = this.form.get('fileRegistry');
    const files = Object.fromEntries(registry.getKeys().map((key) => [key, registry.getFiles(key).map((file) => file.name)]).filter(([, names]) => names.length));
    return { data: literal(data), files };
  }

  report(failure) {
    const errors = failure.errors ?? {};
    this.told = this.form ? showErrors(this.form, errors) : { homeless: errors, forget() {} };
    const homeless = Object.values(this.told.homeless).flat();
    const lines = homeless.length || !Object.keys(errors).length ? [failure.text, ...homeless] : [];
    this.errors.hidden = !lines.length;
    this.errors.replaceChildren(...[...new Set(lines)].map((text) => node('p', { text })));
  }
}

const withFiles = (step, files) => (Object.keys(files).length ? { ...step, files } : step);

export function showBeginning({ place, page, begin, last }) {
  const { begin: about } = page;
  const answers = new Answers(about.form, last ? plainly(last.start) : {});
  const who = whoSelect(about.starters, about.starters.some((each) => each.login === last?.by) ? last.by : null, words('Who opens the case'));
  const moment = node('input', { type: 'datetime-local', class: 'form-control form-control-sm', value: localValue(last?.at ?? about.at.iso), required: true });
  const go = button(words('Open the case'), async () => {
    const read = answers.read();
    if (!read || !moment.reportValidity()) {
      return;
    }
    const scenario = { at: `${moment.value.length === 16 ? `${moment.value}:00` : moment.value}+08:00`, by: chosen(who), start: read.data };
    const failure = await begin(withFiles(scenario, read.files));
    if (failure) {
      answers.report(failure);
    }
  }, 'btn-primary');
  place.replaceChildren(
    node('h2', { class: 'h4', text: about.name }),
    who,
    node('label', { class: 'd-block mb-2' }, node('span', { class: 'form-label', text: words('The dry run begins at') }), moment),
    answers.errors,
    answers.place,
    node('div', { class: 'trying__buttons' }, go),
  );
  answers.draw();
}

/** "2026-11-23T09:00", the office's own time, whatever the zone of the computer. */
function localValue(iso) {
  const timeZone = document.documentElement.dataset.timezone || 'Asia/Shanghai';
  return new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'short', timeZone }).format(new Date(iso)).replace(' ', 'T');
}

export function showWork({ place, clock, shown, step }) {
  showClock(clock, shown, step);
  const parts = [];
  if (shown.case) {
    parts.push(node('p', { class: 'mb-2' }, node('span', { class: 'code', text: shown.case.no }), ` ${shown.case.title} · ${shown.case.status}${shown.case.result ? ` · ${shown.case.result}` : ''}`));
  }
  shown.tasks.forEach((task, number) => parts.push(taskPart(task, number === 0, step)));
  shown.jobs.forEach((job) => parts.push(jobPart(job, step)));
  shown.actions.forEach((action) => parts.push(actionPart(action, step)));
  if (shown.state === 'ACTIVE' && !shown.tasks.length && !shown.jobs.length) {
    parts.push(node('p', { class: 'soft', text: words('Nobody has anything to do now; let time pass.') }));
  }
  if (shown.state && shown.state !== 'ACTIVE') {
    parts.push(node('div', { class: 'alert alert-success py-2', text: words('The case has ended. Keep the run as a scenario, or take a step back and try another way.') }));
  }
  place.replaceChildren(...parts);
}

function foldable(title, open, answers, element, ...parts) {
  const made = node('details', { class: 'trying__task', open, 'data-element': element }, node('summary', {}, title), ...parts);
  if (open) {
    answers.draw();
  }
  made.addEventListener('toggle', () => made.open && answers.draw());
  return made;
}

function taskPart(task, open, step) {
  const answers = new Answers(task.form, task.data);
  const who = whoSelect(task.people, task.assignee);
  const opinion = node('textarea', { class: 'form-control form-control-sm', rows: '1', 'aria-label': words('Opinion'), placeholder: words('Opinion') });
  // The name goes along: it says what a step was when the drawing does not have it any more.
  const about = (name) => ({ do: name, element: task.element, note: task.name, by: chosen(who), ...(task.several ? { nth: task.nth } : {}) });
  const send = async (next) => {
    const failure = await step(next);
    if (failure) {
      answers.report(failure);
    }
  };
  const press = async (outcome) => {
    const read = answers.read({ unchecked: outcome?.unchecked });
    if (!read) {
      return;
    }
    if (outcome?.opinion && !opinion.value.trim()) {
      opinion.classList.add('is-invalid');
      opinion.focus();
      toast(words('Please write an opinion first.'), { kind: 'warning' });
      return;
    }
    if (outcome?.confirm && !(await ask(outcome.confirm, { label: outcome.label }))) {
      return;
    }
    const next = { ...about('complete'), ...(outcome ? { outcome: outcome.value } : {}), ...(opinion.value.trim() ? { opinion: opinion.value.trim() } : {}) };
    await send(withFiles(Object.keys(read.data).length ? { ...next, data: read.data } : next, read.files));
  };
  const nobody = task.people.length ? [] : [node('p', { class: 'alert alert-warning py-1', text: words('Nobody may work on this task. Look at its candidates and exclusions.') })];
  const kept = task.excluded.length ? [node('p', { class: 'soft mb-1', text: words('Kept out by a conflict of interest: {names}', { names: task.excluded.map((each) => each.name).join('、') }) })] : [];
  const buttons = task.people.length
    ? [
        ...(task.outcomes.length ? task.outcomes.map((each, number) => button(each.label, () => press(each), number ? '' : 'btn-primary')) : [button(words('Finish'), () => press(null), 'btn-primary')]),
        task.assignee ? null : button(words('Only take it'), () => send(about('claim'))),
        task.extendable ? button(words('Ask for more time'), () => send(about('extend'))) : null,
      ]
    : [];
  const due = task.due ? ` · ${words('due {time}', { time: task.due.text })}` : '';
  return foldable(`${task.name}${task.several ? ` ${task.nth}` : ''}${due}`, open, answers, task.element, ...nobody, ...kept, who, answers.errors, answers.place, opinion, node('div', { class: 'trying__buttons' }, ...buttons));
}

function actionPart(action, step) {
  const answers = new Answers(action.form, action.data);
  const who = whoSelect(action.people);
  const go = button(action.label, async () => {
    const read = answers.read();
    if (read) {
      const failure = await step(withFiles({ do: 'message', name: action.message, by: chosen(who), data: read.data }, read.files));
      if (failure) {
        answers.report(failure);
      }
    }
  });
  return foldable(words('Button of the case page: {label}', { label: action.label }), false, answers, null, who, answers.errors, answers.place, node('div', { class: 'trying__buttons' }, go));
}

function jobPart(job, step) {
  const answers = new Answers(null, {});
  const text = node('textarea', { class: 'form-control form-control-sm code', rows: '3', 'aria-label': words('Answer of the service (JSON)') });
  text.value = '{}';
  const code = node('input', { class: 'form-control form-control-sm', 'aria-label': words('Error code'), placeholder: words('Error code') });
  const send = async (next) => {
    const failure = await step(next);
    if (failure) {
      answers.report(failure);
    }
  };
  const answer = button(words('The service answers'), () => {
    let data = null;
    try {
      data = JSON.parse(text.value);
    } catch {
      // said below
    }
    if (!data || typeof data !== 'object' || Array.isArray(data)) {
      text.classList.add('is-invalid');
      toast(words('Write the answer as JSON, names with values.'), { kind: 'warning' });
      return;
    }
    send({ do: 'job', element: job.element, note: job.label, data: literal(data) });
  }, 'btn-primary');
  const fail = button(words('It answers with an error'), () => (code.value.trim() ? send({ do: 'job', element: job.element, error: code.value.trim() }) : code.focus()));
  return foldable(`${job.label} · ${job.type}`, true, answers, job.element, answers.errors, node('label', { class: 'form-label', text: words('Answer of the service (JSON)') }), text, node('div', { class: 'trying__buttons' }, answer, code, fail));
}

function showClock(place, shown, step) {
  const wait = (how) => async () => {
    const failure = await step({ do: 'wait', ...how });
    if (failure) {
      toast(failure.text, { kind: 'warning' });
    }
  };
  const next = shown.coming[0];
  const moment = node('input', { type: 'datetime-local', class: 'form-control form-control-sm', 'aria-label': words('To this time'), min: localValue(shown.at.iso), required: true });
  const to = node('form', { onsubmit: (event) => {
    event.preventDefault();
    if (moment.reportValidity()) {
      wait({ until: `${moment.value.length === 16 ? `${moment.value}:00` : moment.value}+08:00` })();
    }
  } }, moment, node('button', { type: 'submit', class: 'btn btn-sm', text: words('Go there') }));
  const nextButton = button(words('To the next due'), wait({ next: 1 }));
  nextButton.disabled = !next;
  place.replaceChildren(
    node('time', { datetime: shown.at.iso, text: shown.at.text }),
    nextButton,
    button(words('+1 day'), wait({ days: 1 })),
    button(words('+1 working day'), wait({ workdays: 1 })),
    button(words('+1 week'), wait({ days: 7 })),
    to,
    node('p', { class: 'soft', text: next ? words('Next: {time} {text}', { time: next.at.text, text: next.text }) : words('Nothing falls due.') }),
  );
}
