/**
 * The drawing of a dry run: one of the processes that the case went through, marked anew after every step, or with what the
 * scenarios cover. The classes are those of diagram.css. The bpmn.io mark in the corner stays as it is and uncovered (licence).
 */
import NavigatedViewer from 'bpmn-js/lib/NavigatedViewer.js';

import { translateModule, words } from '../lib/words.js';

/** Later ones win where an element is in several lists. */
const markers = { done: 'is-done', current: 'is-current' };
const every = ['is-done', 'is-current', 'is-incident', 'is-unreached', 'is-picked', 'is-covered', 'is-missed'];
const aside = /Participant|Lane|Collaboration|TextAnnotation|Group|DataObject|DataStore|Process$/;
/** Below this zoom the names of the steps cannot be read. */
const READABLE = 0.6;

export class Drawing {
  /** `pick(elementId)` is called when somebody clicks an element. */
  constructor(place, url, pick) {
    this.place = place;
    this.url = url;
    this.xml = new Map();
    this.process = null;
    this.viewer = new NavigatedViewer({ container: place, additionalModules: [translateModule] });
    this.viewer.get('eventBus').on('element.click', ({ element }) => pick(element.labelTarget?.id ?? element.id));
  }

  /** Show a process; `about` marks it: `{done, current, counts, tokens, incidents}` or `{visited, missed}`. */
  async show(process, about) {
    if (process !== this.process) {
      if (!(await this.open(process))) {
        return;
      }
    }
    this.mark(about ?? {});
  }

  async open(process) {
    this.place.setAttribute('aria-busy', 'true');
    if (!this.xml.has(process)) {
      const response = await fetch(`${this.url}?process=${encodeURIComponent(process)}`, { credentials: 'same-origin' });
      if (!response.ok) {
        throw new Error(`${this.url}: HTTP ${response.status}`);
      }
      this.xml.set(process, await response.text());
    }
    this.place.removeAttribute('aria-busy');
    try {
      await this.viewer.importXML(this.xml.get(process));
    } catch (error) {
      if (!/no diagram to display/.test(error.message)) {
        throw error;
      }
      this.process = null;
      this.viewer.clear();
      return false;
    }
    this.process = process;
    this.canvas.zoom('fit-viewport', 'auto');
    this.place.dataset.drawn = process;
    return true;
  }

  get canvas() {
    return this.viewer.get('canvas');
  }

  get known() {
    return this.viewer.get('elementRegistry');
  }

  mark(about) {
    const { canvas, known } = this;
    const overlays = this.viewer.get('overlays');
    overlays.clear();
    const shown = known.filter((element) => element.type !== 'label' && element.parent && !aside.test(element.type));
    const add = (id, marker) => known.get(id) && canvas.addMarker(id, marker);
    for (const element of shown) {
      every.forEach((marker) => canvas.removeMarker(element.id, marker));
    }
    const covering = Array.isArray(about.missed);
    this.place.classList.toggle('diagram--running', !covering);
    if (covering) {
      const missed = new Set(about.missed.map((each) => each.id));
      about.visited.forEach((id) => add(id, 'is-covered'));
      missed.forEach((id) => add(id, 'is-missed'));
      return;
    }
    const seen = new Set();
    for (const [list, marker] of Object.entries(markers)) {
      for (const id of about[list] ?? []) {
        every.forEach((each) => known.get(id) && canvas.removeMarker(id, each));
        add(id, marker);
        seen.add(id);
      }
    }
    shown.filter((element) => !seen.has(element.id)).forEach((element) => add(element.id, 'is-unreached'));
    const badge = (id, position, className, text, title) => known.get(id)
      && overlays.add(id, { position, html: Object.assign(document.createElement('span'), { className, textContent: text, title }) });
    for (const [id, count] of Object.entries(about.counts ?? {})) {
      if (count > 1) {
        badge(id, { top: -12, right: 14 }, 'diagram__count', `×${count}`, words('{count} times', { count }));
      }
    }
    for (const [id, count] of Object.entries(about.tokens ?? {})) {
      badge(id, { bottom: 9, left: -9 }, 'diagram__tokens', String(count), words('{count} tokens', { count }));
    }
    for (const id of Object.keys(about.incidents ?? {})) {
      add(id, 'is-incident');
      badge(id, { top: -9, left: -9 }, 'diagram__incident', '!', words('{count} incidents', { count: 1 }));
    }
    this.look((about.current ?? [])[0]);
  }

  /** The whole of a wide procedure is too small to read: then the drawing shows the step the case stands on. */
  look(id) {
    const step = id && this.known.get(id);
    if (!step || this.canvas.zoom() >= READABLE) {
      if (step) {
        this.canvas.scrollToElement(id, 40);
      }
      return;
    }
    const { width, height } = this.canvas.viewbox().outer;
    if (width && height) {
      this.canvas.viewbox({ x: step.x + (step.width ?? 0) / 2 - width / READABLE / 2, y: step.y + (step.height ?? 0) / 2 - height / READABLE / 2, width: width / READABLE, height: height / READABLE });
    }
  }

  pick(id) {
    this.known.forEach((element) => this.canvas.removeMarker(element.id, 'is-picked'));
    if (id && this.known.get(id)) {
      this.canvas.addMarker(id, 'is-picked');
      this.canvas.scrollToElement(id, 40);
    }
  }

  zoom(way) {
    ({ in: () => this.canvas.zoom(this.canvas.zoom() * 1.2), out: () => this.canvas.zoom(this.canvas.zoom() / 1.2), fit: () => this.canvas.zoom('fit-viewport', 'auto') })[way]?.();
  }
}
