/**
 * How cases went until now, laid over the drawing of the next version: under each element how often it was reached, how long it took
 * and how often it sent back; the deeper the colour, the more of what is chosen. The figures come when they are first asked for.
 *
 * Nothing of it belongs to the drawing: it is neither saved nor exported, and drawing goes on beneath it.
 */
import { getJson } from '../lib/http.js';
import { button, node } from './dom.js';
import { words } from './words.js';

const LAYER = 'statistics';
const DEPTHS = 4;
/** Elements that tokens pass: what lies between them, and texts, have no figures. */
const PASSED = /^bpmn:(.*Task|Task|.*Event|.*Gateway|CallActivity|SubProcess|Transaction|AdHocSubProcess)$/;
/** Points take no room for more than what matters: nothing is written under those that nobody reached. */
const POINT = /(Event|Gateway)$/;

export class StatisticsLayer {
  /** @param {{modeler: object, place: HTMLElement, data: {urls: {statistics: string, statisticsPage: string}}, failed: (error: Error) => void}} page */
  constructor({ modeler, place, data, failed }) {
    Object.assign(this, { modeler, urls: data.urls, failed });
    this.bar = place.querySelector('[data-statistics]');
    this.key = place.querySelector('[data-act="statistics"]');
    this.on = false;
    this.asked = { period: '', version: '', measure: 'running' };
    this.answers = [];
    this.marked = new Map();
    this.turn = 0;
    modeler.on('import.done', () => this.on && this.load().catch(failed));
    modeler.on(['shape.added', 'shape.removed', 'element.updateId', 'commandStack.changed'], () => this.later());
  }

  async toggle() {
    this.on = !this.on;
    this.key.setAttribute('aria-pressed', String(this.on));
    this.bar.hidden = !this.on;
    if (!this.on) {
      this.turn += 1;
      this.clear();
      this.bar.replaceChildren();
      this.modeler.get('canvas').resized();
      return;
    }
    this.bar.replaceChildren(node('p', { class: 'm-0', role: 'status', text: words('Reading the figures …') }));
    this.modeler.get('canvas').resized();
    await this.load();
  }

  /** The processes of the drawing, those in pools included. */
  processes() {
    const found = this.modeler.getDefinitions()?.rootElements ?? [];
    return found.filter((each) => each.$type === 'bpmn:Process').map((each) => each.id);
  }

  async load() {
    this.turn += 1;
    const { turn } = this;
    const asked = Object.entries({ period: this.asked.period, version: this.asked.version }).filter(([, value]) => value);
    let answers;
    try {
      answers = await Promise.all(this.processes().map((process) => getJson(`${this.urls.statistics}?${new URLSearchParams([...asked, ['process', process]])}`)));
    } catch (error) {
      console.info('statistics', error);
      if (turn === this.turn && this.on) {
        this.clear();
        this.bar.replaceChildren(node('p', { class: 'm-0', role: 'alert', text: words('The figures could not be read: {reason}', { reason: error.message }) }), button(words('Try again'), () => this.load().catch(this.failed)), this.off());
      }
      return;
    }
    // Another choice, or the layer was taken off, while these figures were on their way.
    if (turn === this.turn && this.on) {
      this.answers = answers;
      this.draw();
    }
  }

  /** After a change of the drawing, once it has come to rest. */
  later() {
    if (this.on && this.answers.length) {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.on && this.draw(), 150);
    }
  }

  clear() {
    clearTimeout(this.waiting);
    this.modeler.get('overlays').remove({ type: LAYER });
    const canvas = this.modeler.get('canvas');
    const registry = this.modeler.get('elementRegistry');
    for (const [id, marker] of this.marked) {
      if (registry.get(id)) {
        canvas.removeMarker(id, marker);
      }
    }
    this.marked = new Map();
  }

  draw() {
    this.clear();
    const overlays = this.modeler.get('overlays');
    const canvas = this.modeler.get('canvas');
    const steps = Object.assign({}, ...this.answers.map((each) => each.steps));
    const known = new Set(this.answers.flatMap((each) => each.known));
    const deployed = known.size > 0;
    const drawn = new Set();
    for (const element of this.modeler.get('elementRegistry').filter((each) => PASSED.test(each.type) && !each.labelTarget)) {
      drawn.add(element.id);
      const step = steps[element.id];
      if (step) {
        const level = step.levels[this.asked.measure];
        if (level) {
          const marker = `statistics-${Math.min(level, DEPTHS)}`;
          canvas.addMarker(element.id, marker);
          this.marked.set(element.id, marker);
        }
      }
      const text = step ? figures(step, element.type) : known.has(element.id) ? (POINT.test(element.type) ? null : [words('not reached')]) : deployed ? [words('new')] : null;
      if (text) {
        const kind = step ? '' : known.has(element.id) ? ' designer__figures--none' : ' designer__figures--new';
        const badge = node('div', { class: `designer__figures${kind}`, 'data-figures': element.id, title: step ? inWords(step) : text[0] }, ...text.map((line) => node('span', { text: line })));
        overlays.add(element, LAYER, { position: { bottom: POINT.test(element.type) ? -2 : 4, left: 0 }, show: { minZoom: 0.45 }, scale: { min: 0.8 }, html: badge });
      }
    }
    this.drawBar(Object.entries(steps).filter(([id]) => !drawn.has(id)), deployed, Object.keys(steps).length);
  }

  drawBar(gone, deployed, counted) {
    const [first] = this.answers;
    const versions = [...new Set(this.answers.flatMap((each) => each.versions.map(({ number }) => number)))].sort((one, other) => other - one);
    const focused = document.activeElement?.dataset?.statisticsChoice;
    const choice = (name, label, options, chosen) =>
      node('select', { class: 'form-select form-select-sm', 'aria-label': label, 'data-statistics-choice': name, onchange: (event) => this.choose(name, event.target.value) },
        ...options.map(([value, text]) => node('option', { value, text, selected: String(value) === String(chosen) })));
    this.asked.period = this.asked.period || first?.period || '';
    this.bar.replaceChildren(
      ...[
        choice('measure', words('Colour by'), first?.measures ?? [], this.asked.measure),
        choice('period', words('Period'), first?.periods ?? [], this.asked.period),
        choice('version', words('Version'), [['', words('all versions')], ...versions.map((each) => [each, words('version {number}', { number: each })])], this.asked.version),
        node('span', { class: 'designer__legend', 'data-statistics-legend': '' },
          words('less'), ...Array.from({ length: DEPTHS }, (_, depth) => node('i', { class: `designer__depth designer__depth--${depth + 1}`, 'aria-hidden': 'true' })), words('more')),
        node('span', { class: 'soft designer__statistics-words', role: 'status', text: this.told(deployed, counted, gone) }),
        this.urls.statisticsPage ? node('a', { class: 'btn btn-sm btn-link', href: this.urls.statisticsPage, target: '_blank', rel: 'noopener', text: words('All figures') }) : null,
        this.off(),
      ].filter(Boolean),
    );
    if (focused) {
      this.bar.querySelector(`[data-statistics-choice="${focused}"]`)?.focus();
    }
  }

  told(deployed, counted, gone) {
    if (!deployed) {
      return words('This process was never in use: there are no figures yet.');
    }
    const parts = [counted ? words('Under each step: times reached, of them running · median and 90th percentile in working days · return rate.') : words('No case went through this process in the period.')];
    if (gone.length) {
      parts.push(words('No longer drawn: {steps}.', { steps: gone.map(([, step]) => step.name).join('、') }));
    }
    return parts.join(' ');
  }

  off() {
    return button(words('Take off'), () => this.toggle());
  }

  choose(name, value) {
    this.asked[name] = value;
    if (name === 'measure') {
      this.draw();
    } else {
      this.load().catch(this.failed);
    }
  }
}

/** The lines under an element; a gateway or an event takes no time. */
function figures(step, type) {
  const lines = [step.running ? words('{reached} × · {running} running', step) : words('{reached} ×', step)];
  if (step.median && !/Gateway$/.test(type) && !/(Start|End|Boundary)Event$/.test(type)) {
    lines.push(words('{median} / {p90} d', step));
  }
  if (step.returns) {
    lines.push(words('{returns} returned', step));
  }
  return lines;
}

const inWords = (step) =>
  [
    words('reached {reached} times, {finished} finished, {running} running', step),
    step.median ? words('median {median}, 90th percentile {p90} working days', step) : '',
    step.few ? words('few: fewer than five') : '',
    step.done ? words('{returned} of {done} decisions sent back', step) : '',
  ]
    .filter(Boolean)
    .join(' · ');
