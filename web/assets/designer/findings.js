/**
 * Findings while drawing: the server's check (the same as when publishing) a little after each change, on the canvas as a
 * number with its severity, and below as sentences with “show” and, where it can be done mechanically, “fix”.
 */
import { Refused, postJson } from '../lib/http.js';
import { button, node } from './dom.js';
import { fixFor } from './fixes.js';
import { hintsFor } from './hints.js';
import { words } from './words.js';

const QUIET_MILLISECONDS = 1500;
/** The server needs 0.13 ms for an element, but writing a drawing of 5,000 keeps the page busy for most of a second: it rests this many times as long. */
const RESTS = 4;
/** Above this number of elements there are no hints: bpmnlint would keep the page busy for longer than a pen stroke. */
const MOST_HINTED = 1500;
const OVERLAY = 'banjie-finding';
/** More lines than anybody reads; the number is told. */
const SHOWN = 200;

export class Findings {
  constructor({ place, modeler, book, url, collect, currentFile, onChange, showFile, failed }) {
    Object.assign(this, { place, modeler, book, url, collect, currentFile, onChange, showFile, failed });
    this.problems = [];
    this.hints = [];
    this.state = 'unknown';
    this.round = 0;
    this.busy = 0;
    modeler.get('eventBus').on('import.done', () => {
      this.mark();
    });
  }

  get errors() {
    return this.problems.filter((each) => each.severity === 'error').length;
  }

  changed() {
    this.state = 'old';
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check().catch((error) => this.failed(error)), Math.max(QUIET_MILLISECONDS, RESTS * this.busy));
    this.onChange();
  }

  /** Ask the server. Resolves to true when it answered and found no error; of several that overlap only the last one counts. */
  check() {
    clearTimeout(this.timer);
    this.round += 1;
    this.newest = this.#check(this.round);
    return this.newest;
  }

  async #check(round) {
    const started = performance.now();
    await this.collect();
    const hints = await this.advice();
    this.busy = performance.now() - started;
    const answer = await this.ask();
    if (round !== this.round) {
      return this.newest;
    }
    this.hints = hints;
    this.reason = answer.reason;
    this.take(answer.problems ?? this.problems, answer.problems ? 'fresh' : 'failed');
    return this.state === 'fresh' && this.errors === 0;
  }

  /** `{problems}` of the server, or the `{reason}` why it has none. */
  async ask() {
    try {
      return await postJson(this.url, { files: this.book.files });
    } catch (error) {
      if (!(error instanceof Refused)) {
        throw error;
      }
      return { reason: error.body.message ?? (error.status === 401 ? words('Not signed in: the check rests. Saving asks you to sign in.') : words('The server cannot be reached; the check rests.')) };
    }
  }

  /** These are the findings now; `state` is `fresh`, `old` (something was changed since) or `failed`. */
  take(problems, state) {
    this.problems = problems;
    this.state = state;
    this.draw();
    this.mark();
    this.onChange();
  }

  /** Hints are no reason to stop: a drawing that the rules cannot read simply has none. */
  async advice() {
    try {
      return this.modeler.get('elementRegistry').getAll().length <= MOST_HINTED ? await hintsFor(this.modeler, this.currentFile()) : [];
    } catch (error) {
      console.warn('hints', error);
      return [];
    }
  }

  /** What the server found, errors first, then the hints about elements it said nothing about. */
  get all() {
    const spoken = new Set(this.problems.map((each) => each.elementId));
    const sorted = [...this.problems].sort((one, other) => (one.severity !== 'error') - (other.severity !== 'error'));
    return [...sorted, ...this.hints.filter((each) => each.file === this.currentFile() && !spoken.has(each.elementId))];
  }

  // -- the list -------------------------------------------------------------------------------------------------------------

  draw() {
    this.place.replaceChildren();
    this.place.dataset.state = this.state;
    if (this.state === 'failed') {
      this.place.append(node('p', { class: 'soft', text: this.reason }));
    }
    if (this.state === 'fresh' && !this.problems.length) {
      this.place.append(node('p', { class: 'designer__clean', text: words('Nothing found: this draft may be published.') }));
    }
    const sorted = this.all;
    if (this.problems.length) {
      this.place.append(node('p', { class: 'designer__findings-head', text: words('{errors} errors, {warnings} warnings', { errors: this.errors, warnings: this.problems.length - this.errors }) }));
    }
    if (sorted.length) {
      this.place.append(
        node('ul', { class: 'designer__findings-list' }, ...sorted.slice(0, SHOWN).map((problem) => this.line(problem))),
      );
    }
    if (sorted.length > SHOWN) {
      this.place.append(node('p', { class: 'soft', text: words('… and {count} more', { count: sorted.length - SHOWN }) }));
    }
  }

  line(problem) {
    const fix = fixFor(problem, this);
    return node(
      'li',
      { class: `designer__finding designer__finding--${problem.severity}`, 'data-finding': problem.elementId ?? '', 'data-rule': problem.rule },
      node('span', { class: 'designer__severity', text: words(problem.severity) }),
      node('span', { class: 'designer__finding-text', text: problem.message, title: `${problem.file}${problem.line ? `:${problem.line}` : ''} · ${problem.rule}` }),
      node(
        'span',
        { class: 'designer__finding-actions' },
        problem.elementId || problem.file !== this.currentFile() ? button(words('Show'), () => this.show(problem), 'btn-link') : null,
        fix ? button(fix.label, () => fix.act(), 'btn-link') : null,
      ),
    );
  }

  async show(problem) {
    if (problem.file !== this.currentFile()) {
      await this.showFile(problem.file, problem.elementId);
    }
    this.select(problem.elementId);
  }

  select(id) {
    const element = id && this.modeler.get('elementRegistry').get(id);
    if (!element) {
      return null;
    }
    this.modeler.get('selection').select(element);
    if (element.waypoints || element.parent) {
      this.modeler.get('canvas').scrollToElement(element, 120);
    }
    return element;
  }

  // -- on the canvas ----------------------------------------------------------------------------------------------------------

  mark() {
    const overlays = this.modeler.get('overlays');
    const registry = this.modeler.get('elementRegistry');
    overlays.remove({ type: OVERLAY });
    const byElement = new Map();
    for (const problem of this.all.filter((each) => each.file === this.currentFile() && each.elementId)) {
      byElement.set(problem.elementId, [...(byElement.get(problem.elementId) ?? []), problem]);
    }
    for (const [id, problems] of byElement) {
      const element = registry.get(id);
      if (!element || !element.parent) {
        continue;
      }
      const severity = ['error', 'warning', 'hint'].find((each) => problems.some((problem) => problem.severity === each));
      const badge = node('button', {
        type: 'button',
        class: `designer__badge designer__badge--${severity}`,
        text: String(problems.length),
        title: problems.map((each) => each.message).join('\n'),
        onclick: () => this.point(id),
      });
      overlays.add(element, OVERLAY, { position: element.waypoints ? { top: -8, left: 0 } : { top: -9, right: 9 }, html: badge });
    }
  }

  /** From the badge to the sentence. */
  point(id) {
    const line = [...this.place.querySelectorAll('[data-finding]')].find((each) => each.dataset.finding === id);
    line?.scrollIntoView({ block: 'nearest' });
    this.place.querySelectorAll('.is-picked').forEach((each) => each.classList.remove('is-picked'));
    line?.classList.add('is-picked');
    this.select(id);
  }
}
