/**
 * The dry run of a draft. The page holds the scenario (where it begins, and the steps so far); every step sends the whole of it,
 * the server plays it anew in a sandbox and says where the case stands. So taking a step back costs nothing, and nothing of a
 * run is kept on the server.
 */
import { signInAgain } from './lib/sign_in.js';
import { pageData, postJson } from './lib/http.js';
import { toast } from './lib/toasts.js';
import { words } from './designer/words.js';
import { button, node } from './designer/dom.js';
import { Drawing } from './trying/drawing.js';
import { askAndKeep } from './trying/keeping.js';
import { showLimits, showLog, showVariables } from './trying/log.js';
import { ScenarioList } from './trying/scenarios.js';
import { showBeginning, showWork } from './trying/work.js';
import './trying/words.js';

const page = pageData('try-data');
const root = document.getElementById('trying');
const find = (name) => document.querySelector(`[data-try-${name}]`);
const slot = `banjie.try:${page.draft.key}`;

const run = {
  scenario: null,
  shown: null,
  coverage: null,
  revision: page.draft.revision,
  /** Steps that were taken back and may be done again; what was answered in them is not lost. */
  undone: [],
  /** What the case was opened with last, for the next time. */
  last: null,
};

const drawing = new Drawing(find('drawing'), page.urls.diagram, (id) => {
  highlight(id);
  openPart(id);
});
const list = new ScenarioList({ page, place: document.getElementById('kept'), run, load, busy, request, covered });

/** Send, sign in again in place when the session has ended, and say in words what went wrong. */
async function request(url, body, options = {}) {
  try {
    return await postJson(url, body, options);
  } catch (error) {
    if (error.status === 401 && (await signInAgain())) {
      return request(url, body, options);
    }
    throw error;
  }
}

async function busy(work) {
  root.setAttribute('aria-busy', 'true');
  document.querySelectorAll('[data-try], #trying button:not([role="tab"])').forEach((each) => each.toggleAttribute('data-was', each.disabled) || (each.disabled = true));
  try {
    return await work();
  } catch (error) {
    if (!('status' in error)) {
      console.error(error);
    }
    toast(error.body?.message ?? words(error.status === 0 ? 'The server cannot be reached. Your work is still on this page.' : 'The server could not do this. Nothing was changed; please try again.'), { kind: 'error' });
    return null;
  } finally {
    root.removeAttribute('aria-busy');
    document.querySelectorAll('[data-try], #trying button:not([role="tab"])').forEach((each) => {
      each.disabled = each.hasAttribute('data-was');
      each.removeAttribute('data-was');
    });
    tools();
  }
}

function tools() {
  const begun = Boolean(run.shown);
  document.querySelector('[data-try="back"]').disabled = !begun;
  document.querySelector('[data-try="again"]').disabled = !begun || !run.undone.length;
  document.querySelector('[data-try="anew"]').disabled = !begun;
  document.querySelector('[data-try="keep"]').disabled = !begun || !page.draft.editable;
}

/** Play `scenario`; resolves to the answer, or null when it could not be played at all. What failed at its last step is not taken over. */
async function play(scenario, { whole = false, undone = [] } = {}) {
  // The file's name is the page's own; what is expected of the whole is no matter of a run that is still going on.
  const { name, expect, ...rest } = scenario;
  const sent = whole && expect ? { ...rest, expect } : rest;
  const answer = await busy(() => request(page.urls.run, { scenario: { ...sent, title: sent.title || words('Dry run') } }));
  if (!answer) {
    return null;
  }
  const last = scenario.steps.length;
  if (answer.failure && answer.failure.number === last && !whole) {
    return answer;
  }
  // Where a step fails the run goes on from before it, by other steps.
  run.scenario = answer.failure ? { ...scenario, steps: scenario.steps.slice(0, Math.max(0, answer.failure.number - 1)) } : scenario;
  run.shown = answer.failure?.number === 0 ? null : answer;
  run.trouble = answer.problems;
  run.undone = answer.failure && whole ? scenario.steps.slice(Math.max(0, answer.failure.number - 1)) : undone;
  run.last = { at: scenario.at, by: scenario.by, start: scenario.start ?? {} };
  try {
    sessionStorage.setItem(slot, JSON.stringify(run.scenario));
  } catch {
    // Without a store a reload begins anew; the run itself does not need it.
  }
  await show();
  return answer;
}

/** The run with other steps: no longer the scenario that it was opened from. */
function another(steps) {
  const { name, expect, ...rest } = run.scenario;
  return { ...rest, steps };
}

/** Try one more step. Resolves to the failure, or null when it was done. */
async function step(next) {
  const answer = await play(another([...run.scenario.steps, next]));
  return answer?.failure ?? null;
}

async function begin(scenario) {
  const answer = await play({ title: words('Dry run'), steps: [], ...scenario });
  return answer?.failure ?? null;
}

/** Back to the state after step `number` (0: the case was just opened); what came later may be done again. */
async function backTo(number) {
  const { steps } = run.scenario;
  await play(another(steps.slice(0, number)), { undone: [...steps.slice(number), ...run.undone] });
}

/** Do the first of the steps that were taken back. */
async function again() {
  const [next, ...rest] = run.undone;
  const answer = await play(another([...run.scenario.steps, next]), { undone: rest });
  if (answer?.failure) {
    toast(answer.failure.text, { kind: 'warning' });
  }
}

async function load(scenario) {
  await play(structuredClone(scenario), { whole: true });
  document.getElementById('tab-now').click();
  find('trouble').firstElementChild?.scrollIntoView({ block: 'nearest' });
}

function anew() {
  run.scenario = run.shown = null;
  run.undone = [];
  sessionStorage.removeItem(slot);
  show();
}

async function show() {
  tools();
  const { shown } = run;
  const trouble = find('trouble');
  trouble.replaceChildren();
  if (run.trouble?.length) {
    trouble.append(differences(run.trouble));
    run.trouble = null;
  }
  document.getElementById('now').replaceChildren();
  if (shown) {
    showWork({ place: document.getElementById('now'), clock: find('clock'), shown, step });
  } else {
    find('clock').replaceChildren();
    showBeginning({ place: document.getElementById('now'), page, begin, last: run.last });
  }
  showLog(find('log'), shown, highlight, backTo);
  showLimits(document.getElementById('limits'), shown, step);
  showVariables(document.getElementById('variables'), shown);
  await showDrawing();
}

/** What went otherwise than expected, each line with the way to the place in the drawing. */
function differences(problems) {
  const lines = problems.map((each) => node('li', {}, `${each.text} `, each.element ? button(words('Show'), () => highlight(each.element), 'btn-link p-0') : null));
  return node('div', { class: 'alert alert-warning' }, node('p', { class: 'mb-1', text: words('The run differs from what is expected:') }), node('ul', { class: 'mb-0' }, ...lines));
}

/** The open task, service or button of an element that somebody clicked in the drawing. */
function openPart(id) {
  const part = document.querySelector(`#now details[data-element="${CSS.escape(id)}"]`);
  if (part) {
    document.getElementById('tab-now').click();
    part.open = true;
    part.scrollIntoView({ block: 'nearest' });
    part.querySelector('summary').focus({ preventScroll: true });
  }
}

const covering = () => find('coverage').checked;

function processes() {
  const found = new Map((run.coverage ?? []).map((each) => [each.process, each.name]));
  if (!covering() || !run.coverage) {
    found.clear();
    found.set(page.begin.process, page.begin.name);
    (run.shown?.diagrams ?? []).forEach((each) => found.set(each.process, each.name));
  }
  return found;
}

async function showDrawing() {
  const select = find('process');
  const offered = processes();
  const before = select.value;
  select.replaceChildren(...[...offered].map(([value, text]) => node('option', { value, text })));
  select.value = offered.has(before) ? before : [...offered.keys()][0];
  const covers = covering() && run.coverage;
  const about = (covers ? run.coverage : run.shown?.diagrams ?? []).find((each) => each.process === select.value);
  document.querySelector('[data-try-key="run"]').hidden = Boolean(covers);
  document.querySelector('[data-try-key="coverage"]').hidden = !covers;
  showMissed(covers ? about : null);
  await drawing.show(select.value, about ?? {});
}

function showMissed(about) {
  const place = find('missed');
  place.hidden = !about;
  place.replaceChildren();
  if (!about) {
    return;
  }
  place.append(node('p', { class: 'mb-1', text: words('{percent} % visited: elements {elements} %, flows {flows} %', about) }));
  if (about.missed.length) {
    const lines = about.missed.map((each) => node('li', {}, node('button', { type: 'button', class: 'btn btn-link btn-sm p-0', text: each.label, onclick: () => drawing.pick(each.id) })));
    place.append(node('h3', { class: 'h4', text: words('Never visited') }), node('ul', { class: 'trying__missed' }, ...lines));
  }
}

/** The coverage of scenarios that were just played. */
function covered(coverage) {
  run.coverage = coverage;
  const box = find('coverage');
  box.disabled = false;
  showDrawing();
}

function highlight(id) {
  drawing.pick(id);
  document.querySelectorAll('[data-try-log] [data-element]').forEach((line) => line.classList.toggle('is-picked', line.dataset.element === id));
}

find('process').addEventListener('change', showDrawing);
find('coverage').addEventListener('change', showDrawing);
document.addEventListener('click', (event) => {
  const zoom = event.target.closest?.('[data-try-zoom]');
  if (zoom) {
    drawing.zoom(zoom.dataset.tryZoom);
  }
  const what = event.target.closest?.('[data-try]')?.dataset.try;
  if (what === 'anew') {
    anew();
  } else if (what === 'back') {
    if (run.scenario.steps.length) {
      backTo(run.scenario.steps.length - 1);
    } else {
      anew();
    }
  } else if (what === 'again') {
    again();
  } else if (what === 'keep') {
    askAndKeep({ page, run, request, kept: (name, text, revision) => list.kept(name, text, revision) });
  }
});

async function start() {
  list.begin();
  const wanted = new URLSearchParams(location.search).get('scenario');
  const named = page.scenarios.find((each) => each.name === wanted && !each.problem);
  const before = named ? JSON.stringify({ ...JSON.parse(named.text), name: named.name }) : sessionStorage.getItem(slot);
  if (before) {
    await play(JSON.parse(before), { whole: true });
  }
  if (!run.shown) {
    await show();
  }
  root.removeAttribute('aria-busy');
  document.documentElement.dataset.tryReady = 'yes';
}

start();
