/** The task page: the step's form, drafts, documents, outcomes. The contract with the template is in README.md. */
import { Drafts } from './lib/drafts.js';
import { drawn, showErrors, showForm } from './lib/forms.js';
import { pageData, postMultipart } from './lib/http.js';
import { signInAgain } from './lib/sign_in.js';
import { questionOf } from './lib/submitting.js';
import { toast } from './lib/toasts.js';
import { clockTime, words } from './lib/words.js';

const task = pageData('task-data');

if (task) {
  start().catch((error) => {
    console.error(error);
    toast(words('The form could not be shown. Reload the page; your draft is kept.'), { kind: 'error' });
  });
}
document.querySelectorAll('[data-form-view]').forEach(watchEarlierStep);

/** An earlier step's answers: drawn, read-only, when they are first unfolded (or at once outside `<details>`). */
function watchEarlierStep(place) {
  const fold = place.closest('details');
  const draw = () => {
    if (!place.dataset.drawn) {
      place.dataset.drawn = 'yes';
      showForm(place, { ...pageData(place.dataset.formView), readonly: true });
    }
  };
  if (fold && !fold.open) {
    fold.addEventListener('toggle', draw, { once: true });
    // A printed page shows what is folded too; drawing must happen before the printer looks.
    window.addEventListener('beforeprint', draw, { once: true });
  } else {
    draw();
  }
}

async function start() {
  const place = document.getElementById('task-form-fields');
  const page = document.getElementById('task-form');
  const opinion = document.querySelector('[data-opinion]');
  const stateLine = document.querySelector('[data-draft-state]');
  const show = (text) => stateLine && (stateLine.textContent = text);

  const drafts = task.draft && !task.readonly
    ? new Drafts({ url: task.draft.url, key: task.key, revision: task.revision }, () => collect(form, opinion), show)
    : null;
  const kept = drafts?.kept();
  const form = await showForm(place, {
    schema: task.schema,
    data: { ...task.data, ...kept?.data },
    readonly: task.readonly,
    files: task.files,
  });
  place.removeAttribute('aria-busy');
  await drawn(form);

  if (kept) {
    if (opinion && kept.opinion) {
      opinion.value = kept.opinion;
    }
    toast(words('Restored what had not reached the server ({time}).', { time: clockTime(new Date(kept.at)) }), { kind: 'warning' });
    drafts.save();
  } else if (task.draft?.saved_at) {
    show(words('Saved {time}', { time: clockTime(new Date(task.draft.saved_at)) }));
  }
  const told = Object.keys(task.errors ?? {}).length ? report(form, page, task.errors) : null;
  if (page && !task.readonly) {
    const uploads = new Uploads(form, task.upload);
    form.on('changed', () => uploads.look());
    if (drafts) {
      watchChanges(form, opinion, drafts);
    }
    watchOutcomes(form, page, opinion, drafts, uploads, () => told?.forget());
  }
  document.documentElement.dataset.taskReady = 'yes';
}

const collect = (form, opinion) => ({ data: form._getSubmitData(), opinion: opinion?.value ?? '' });

function watchChanges(form, opinion, drafts) {
  form.on('field.updated', () => drafts.changed());
  opinion?.addEventListener('input', () => drafts.changed());
  document.addEventListener('click', (event) => {
    if (event.target.closest('[data-save-draft]')) {
      drafts.save();
    }
    const phrase = event.target.closest('[data-phrase]');
    if (phrase && opinion) {
      opinion.value += phrase.dataset.phrase;
      opinion.focus();
      drafts.changed();
    }
  });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden && drafts.dirty) {
      drafts.save({ leaving: true });
    }
  });
}

/** Documents travel as soon as they are chosen, so that a draft keeps them and the final press does not wait for them. */
class Uploads {
  constructor(form, settings) {
    this.form = form;
    this.settings = settings;
    this.seen = new Map();
    this.running = new Set();
    this.failed = new Set();
  }

  look() {
    const registry = this.form.get('fileRegistry');
    for (const key of registry.getKeys()) {
      const files = registry.getFiles(key);
      if (this.seen.get(key) !== files && files.length && !files.every((file) => file.stored)) {
        this.seen.set(key, files);
        const upload = this.send(key, files).finally(() => this.running.delete(upload));
        this.running.add(upload);
      }
    }
  }

  tooLarge(files) {
    const limit = this.settings.max_bytes;
    return limit ? files.filter((file) => file.size > limit) : [];
  }

  async send(key, files) {
    const large = this.tooLarge(files);
    if (large.length) {
      this.failed.add(key);
      const megabytes = Math.floor(this.settings.max_bytes / 1024 / 1024);
      toast(words('{name} is larger than {limit} MB.', { name: large[0].name, limit: megabytes }), { kind: 'error' });
      return;
    }
    const body = new FormData();
    body.append('key', key);
    files.forEach((file) => body.append('files', file, file.name));
    try {
      await postMultipart(this.settings.url, body);
      this.failed.delete(key);
    } catch (error) {
      this.failed.add(key);
      this.seen.delete(key);
      if (error.status === 401 && (await signInAgain())) {
        return this.send(key, files);
      }
      toast(error.body?.message ?? words('The documents could not be uploaded; they are still chosen, please try again.'), { kind: 'error' });
    }
  }

  /** Resolves to true when every chosen document has arrived. */
  async arrived() {
    this.look();
    await Promise.all(this.running);
    const chosen = new Set(this.form.get('fileRegistry').getKeys());
    return ![...this.failed].some((key) => chosen.has(key));
  }
}

/**
 * The page's form carries data, outcome and opinion as ordinary fields: a press of an outcome button fills them and lets
 * the browser post. Nothing is posted before the form is valid (unless the outcome does without it), the documents have
 * arrived and the draft is safe, so that an expired session costs nobody a paragraph.
 */
function watchOutcomes(form, page, opinion, drafts, uploads, forgetTold) {
  let ready = false;
  page.dataset.asksItself = 'yes';
  page.addEventListener('submit', (event) => {
    if (ready) {
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    const pressed = event.submitter;
    forgetTold(); // whether the server still minds is for the server to say
    const { data, errors } = form.submit();
    const needsForm = !pressed || !('outcomeUnchecked' in pressed.dataset);
    if (needsForm && Object.keys(errors).length) {
      countErrors(form, page);
      return;
    }
    if (pressed && 'needsOpinion' in pressed.dataset && opinion && !opinion.value.trim()) {
      opinion.setAttribute('aria-invalid', 'true');
      opinion.classList.add('is-invalid');
      opinion.focus();
      toast(words('Please write an opinion first.'), { kind: 'warning' });
      return;
    }
    send(pressed, data);
  });

  async function send(pressed, data) {
    if (pressed?.hasAttribute('data-confirm') && !(await questionOf(pressed))) {
      return;
    }
    setBusy(page, true);
    const safe = (await uploads.arrived()) && (!drafts || (await drafts.save()) || drafts.overtaken);
    setBusy(page, false);
    if (!safe) {
      toast(words('Not sent yet. Nothing is lost; please try again.'), { kind: 'error' });
      return;
    }
    fill(page, { data: JSON.stringify(data), outcome: pressed?.dataset.outcome ?? '', opinion: opinion?.value ?? '' });
    // Where nothing had to travel first we are still inside the first submit event, and the browser ignores a second one there.
    await new Promise((resolve) => setTimeout(resolve));
    ready = true;
    page.requestSubmit(pressed ?? undefined);
    ready = false;
  }
}

function setBusy(page, busy) {
  page.toggleAttribute('aria-busy', busy);
  document.querySelectorAll('[data-outcome]').forEach((control) => (control.disabled = busy));
}

function fill(page, values) {
  for (const [name, value] of Object.entries(values)) {
    let field = page.elements[name];
    if (!field) {
      field = Object.assign(document.createElement('input'), { type: 'hidden', name });
      page.append(field);
    }
    field.value = value;
  }
}

/** Errors stand at their fields; the button says how many there are and the first one gets the focus. */
function countErrors(form, page) {
  setTimeout(() => {
    const wrong = document.querySelectorAll('#task-form-fields .fjs-has-errors');
    const line = document.querySelector('[data-error-count]');
    if (line) {
      line.textContent = wrong.length ? words('{count} to correct', { count: wrong.length }) : '';
      line.setAttribute('role', 'alert');
    }
    const first = wrong[0];
    first?.scrollIntoView({ block: 'center' });
    first?.querySelector('input, textarea, select, button')?.focus({ preventScroll: true });
  }, 50);
}

function report(form, page, errors) {
  const told = showErrors(form, errors);
  const homeless = Object.values(told.homeless).flat();
  const place = document.querySelector('[data-form-errors]');
  if (place && homeless.length) {
    place.hidden = false;
    place.setAttribute('role', 'alert');
    place.replaceChildren(...homeless.map((text) => Object.assign(document.createElement('p'), { textContent: text })));
  }
  countErrors(form, page);
  return told;
}
