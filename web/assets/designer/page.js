/** Puts the parts of the editor together and connects the buttons. */
import { pageData } from '../lib/http.js';
import { toast } from '../lib/toasts.js';
import { Book } from './book.js';
import { offerBringing } from './bringing.js';
import { showComparison } from './compare.js';
import { conflict } from './conflict.js';
import { dropNote, note } from './dom.js';
import { Drawing } from './drawing.js';
import { exporters } from './exporting.js';
import { Files } from './files.js';
import { Findings } from './findings.js';
import { showKeys, watchKeys } from './keys.js';
import { watchLayout } from './layout.js';
import { createModeler } from './modeler.js';
import { Places } from './places.js';
import { watchPresence } from './presence.js';
import { closed, offerRecovery } from './rescue.js';
import { Saving } from './saving.js';
import { offerSnippets } from './snippets.js';
import { StatisticsLayer } from './statistics.js';
import { Steps } from './steps.js';
import { handOnTyping } from './typing.js';
import { words } from './words.js';

export function start() {
  const place = document.getElementById('designer');
  const page = new Page(place, pageData('design'));
  page.open().catch((error) => {
    console.error(error);
    place.removeAttribute('aria-busy');
    note('failed', words('The editor could not be started. Reload the page; nothing of the draft is lost.'), { kind: 'error', closable: false });
  });
}

class Page {
  constructor(place, data) {
    this.place = place;
    this.data = data;
    this.editable = data.draft.editable;
    this.book = new Book(data);
    this.modeler = createModeler({ canvas: place.querySelector('[data-canvas]'), panel: place.querySelector('[data-panel]'), book: this.book });
    this.drawing = new Drawing({
      modeler: this.modeler,
      book: this.book,
      draft: data.draft,
      list: place.querySelector('[data-flow-file]'),
      onChange: () => this.changed(),
      onShown: () => this.findings.mark(),
    });
    this.saving = new Saving(data, {
      book: this.book,
      handOn: handOnTyping,
      collect: () => this.collect(),
      show: (text, kind) => this.showState(text, kind),
      onSaved: (answer) => this.saved(answer),
      onConflict: (answer) => conflict(this, answer),
      onClosed: (reason) => closed(reason, data.urls.draft),
      failed: (error) => this.failed(error),
    });
    this.files = new Files({ book: this.book, language: data.language, editable: this.editable, tryIt: data.urls.tryIt, onChange: () => this.changed() });
    this.findings = new Findings({
      place: place.querySelector('[data-findings]'),
      modeler: this.modeler,
      book: this.book,
      url: data.urls.lint,
      collect: () => this.collect(),
      currentFile: () => this.file,
      onChange: () => {
        this.steps.draw();
        this.files.showFindings(this.findings.problems);
      },
      showFile: (name, where) => this.showFile(name, where),
      failed: (error) => this.failed(error),
    });
    this.steps = new Steps(this);
    this.places = new Places(this);
    this.statistics = new StatisticsLayer(this);
  }

  /** The file whose drawing is in front. */
  get file() {
    return this.drawing.file;
  }

  async open() {
    const bring = offerBringing(this);
    this.actions = {
      save: () => this.save(),
      check: () => this.steps.check(),
      try: () => this.steps.try(),
      publish: () => this.steps.publish(),
      undo: () => this.trigger('undo'),
      redo: () => this.trigger('redo'),
      'zoom-in': () => this.modeler.get('zoomScroll').stepZoom(1),
      'zoom-out': () => this.modeler.get('zoomScroll').stepZoom(-1),
      'zoom-fit': () => this.modeler.get('canvas').zoom('fit-viewport', 'auto'),
      // The search closes at any click on the page, the one on its own button included.
      find: () => setTimeout(() => this.trigger('find')),
      import: bring,
      compare: () => this.compareWithSaved(),
      minimap: () => this.modeler.get('minimap').toggle(),
      keys: () => showKeys(),
      simulate: () => this.places.simulation(),
      statistics: () => this.statistics.toggle(),
      ...Object.fromEntries(Object.keys(exporters).map((name) => [name, () => exporters[name](this.modeler, this.file)])),
      ...Object.fromEntries(['left', 'center', 'right', 'top', 'middle', 'bottom'].map((side) => [`align-${side}`, () => this.arrange('alignElements', side)])),
      'distribute-horizontal': () => this.arrange('distributeElements', 'horizontal'),
      'distribute-vertical': () => this.arrange('distributeElements', 'vertical'),
    };
    this.connect();
    const [first] = this.drawing.names;
    await (first ? this.drawing.open(first) : this.drawing.begin());
    this.files.draw();
    offerSnippets(this.place.querySelector('[data-snippets]'), this.modeler, this.files, this.book);
    offerRecovery(this);
    if (!this.editable) {
      note('closed', words('This draft is closed: it can be looked at, but not changed.'), { closable: false });
      this.place.classList.add('designer--closed');
    }
    this.place.removeAttribute('aria-busy');
    this.place.dataset.ready = 'yes';
    document.documentElement.dataset.designerReady = 'yes';
    performance.mark('designer-ready');
    watchPresence(this.data, this.place.querySelector('[data-others]'), this.saving);
    await this.findings.check();
  }

  connect() {
    this.place.addEventListener('click', (event) => {
      const act = event.target.closest('[data-act]')?.dataset.act;
      if (act) {
        event.target.closest('details[data-menu]')?.removeAttribute('open');
        Promise.resolve(this.actions[act]?.()).catch((error) => this.failed(error));
      }
    });
    this.place.querySelector('[data-flow-file]').addEventListener('change', (event) => this.showFile(event.target.value));
    watchKeys({ save: () => this.save(), find: () => this.trigger('find'), isOpen: () => !document.getElementById('flow').hidden });
    watchLayout(this.place, () => this.modeler.get('canvas').resized());
    window.addEventListener('beforeunload', (event) => {
      handOnTyping();
      if (this.saving.dirty) {
        this.saving.autosave();
        event.preventDefault();
        event.returnValue = '';
      }
    });
    document.getElementById('tab-flow').addEventListener('click', () => this.drawing.cameToFront());
  }

  failed(error) {
    console.error(error);
    toast(words('This did not work. Your drawing is unchanged.'), { kind: 'error' });
  }

  trigger(name) {
    const actions = this.modeler.get('editorActions');
    if (actions.isRegistered(name)) {
      actions.trigger(name);
    }
  }

  arrange(service, type) {
    const selected = this.modeler.get('selection').get();
    const enough = service === 'distributeElements' ? 3 : 2;
    if (selected.length < enough) {
      toast(words('Select at least {count} elements first: hold Shift, or draw a frame with the lasso.', { count: enough }));
      return;
    }
    this.modeler.get(service).trigger(selected, type);
  }

  // -- what is being edited ----------------------------------------------------------------------------------------------------

  /** The drawing, or another file: its text is fetched when it is quiet. */
  changed() {
    if (this.editable) {
      this.saving.changed();
      this.findings.changed();
      this.files.draw();
    }
  }

  /** What is drawn, and what stands in open editors, into the book. */
  async collect() {
    handOnTyping();
    await this.drawing.collect();
    await this.files.collect();
  }

  async showFile(name, place) {
    await (name.endsWith('.bpmn') ? this.drawing.open(name) : this.files.openFile(name, { place }));
  }

  async compareWithSaved() {
    await this.collect();
    await showComparison(this.modeler, this.saving.saved, this.book.files, [words('what is saved'), words('what is drawn here')]);
  }

  /** These files and no others, from outside: what is open shows them. */
  async replaceAll(files) {
    handOnTyping();
    this.files.reset([...new Set([...Object.keys(this.book.files), ...Object.keys(files)])], files);
    await this.drawing.reset(this.book.files[this.file] === undefined ? this.drawing.names[0] : this.file);
    await this.findings.check();
  }

  /** The same, but what is not another text stays open as it is. */
  async adopt(files) {
    const { book } = this;
    const other = [...new Set([...Object.keys(book.files), ...Object.keys(files)])].filter((name) => book.files[name] !== files[name]);
    this.files.reset(other, files);
    if (other.includes(this.file)) {
      await this.drawing.reset(files[this.file] === undefined ? this.drawing.names[0] : this.file);
    }
    this.drawing.drawList();
  }

  // -- saving -----------------------------------------------------------------------------------------------------------------------

  showState(text, kind = '') {
    const state = this.place.querySelector('[data-save-state]');
    state.textContent = text;
    state.dataset.kind = kind;
  }

  /** Resolves to true when the server has everything that stands on the page. */
  async save() {
    try {
      return this.editable && (await this.saving.save());
    } catch (error) {
      this.failed(error);
      return false;
    }
  }

  saved(answer) {
    if (answer.problems) {
      this.findings.take(answer.problems, this.saving.dirty ? 'old' : 'fresh');
    }
    dropNote('recovery');
    dropNote('conflict');
    dropNote('newer');
  }
}
