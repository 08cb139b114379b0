/** Puts the parts of the editor together and connects the buttons. */
import { pageData } from '../lib/http.js';
import { toast } from '../lib/toasts.js';
import { Book } from './book.js';
import { showComparison } from './compare.js';
import { dropNote, node, note } from './dom.js';
import { exporters } from './exporting.js';
import { Files } from './files.js';
import { Findings } from './findings.js';
import { examineFile, NotReadable, reasonInWords, warningsInWords } from './importing.js';
import { textOf } from './interchange.js';
import { showKeys, watchKeys } from './keys.js';
import { watchLayout } from './layout.js';
import { createModeler, emptyDiagram, MANY_ELEMENTS } from './modeler.js';
import { Places } from './places.js';
import { watchPresence } from './presence.js';
import { conflict, offerRecovery } from './rescue.js';
import { Saving } from './saving.js';
import { offerSnippets } from './snippets.js';
import { words } from './words.js';

/** Below this zoom the names of the steps cannot be read. */
const READABLE = 0.6;

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
    this.edited = false;
    this.saving = new Saving(data, {
      book: this.book,
      collect: () => this.collect(),
      show: (text, kind) => this.showState(text, kind),
      onSaved: (answer) => this.saved(answer),
      onConflict: (answer) => conflict(this, answer),
    });
    this.files = new Files({ book: this.book, language: data.language, editable: this.editable, tryIt: data.urls.tryIt, onChange: (name) => this.fileChanged(name) });
    this.findings = new Findings({
      place: place.querySelector('[data-findings]'),
      modeler: this.modeler,
      book: this.book,
      url: data.urls.lint,
      collect: () => this.collect(),
      currentFile: () => this.file,
      onChange: () => {
        this.showSteps();
        this.files.showFindings(this.findings.problems);
      },
      showFile: (name, place) => this.showFile(name, place),
    });
    this.places = new Places(this);
  }

  async open() {
    this.actions = {
      save: () => this.save(),
      check: () => this.check(),
      try: () => this.leaveFor(this.data.urls.tryIt),
      publish: () => this.publish(),
      undo: () => this.trigger('undo'),
      redo: () => this.trigger('redo'),
      'zoom-in': () => this.modeler.get('zoomScroll').stepZoom(1),
      'zoom-out': () => this.modeler.get('zoomScroll').stepZoom(-1),
      'zoom-fit': () => this.modeler.get('canvas').zoom('fit-viewport', 'auto'),
      // The search closes at any click on the page, the one on its own button included.
      find: () => setTimeout(() => this.trigger('find')),
      import: () => this.place.querySelector('[data-import-file]').click(),
      compare: () => this.compareWithSaved(),
      minimap: () => this.modeler.get('minimap').toggle(),
      keys: () => showKeys(),
      simulate: () => this.places.simulation(),
      ...Object.fromEntries(Object.keys(exporters).map((name) => [name, () => exporters[name](this.modeler, this.file)])),
      ...Object.fromEntries(['left', 'center', 'right', 'top', 'middle', 'bottom'].map((side) => [`align-${side}`, () => this.arrange('alignElements', side)])),
      'distribute-horizontal': () => this.arrange('distributeElements', 'horizontal'),
      'distribute-vertical': () => this.arrange('distributeElements', 'vertical'),
    };
    this.connect();
    const [first = null] = this.mainFirst(this.book.named('.bpmn'));
    if (first) {
      await this.showFile(first);
    } else {
      await this.showNew();
    }
    this.files.draw();
    offerSnippets(this.place.querySelector('[data-snippets]'), this.modeler);
    offerRecovery(this);
    if (!this.editable) {
      note('closed', words('This draft is closed: it can be looked at, but not changed.'), { closable: false });
      this.place.classList.add('designer--closed');
    }
    this.place.removeAttribute('aria-busy');
    this.place.dataset.ready = 'yes';
    document.documentElement.dataset.designerReady = 'yes';
    performance.mark('designer-ready');
    watchPresence(this.data.urls.here, this.place.querySelector('[data-others]'), () => this.saving.revision);
    await this.findings.check();
  }

  mainFirst(names) {
    const main = this.data.draft.processId;
    return [...names].sort((one, other) => (this.book.files[other].includes(`id="${main}"`) ? 1 : 0) - (this.book.files[one].includes(`id="${main}"`) ? 1 : 0));
  }

  connect() {
    this.place.addEventListener('click', (event) => {
      const act = event.target.closest('[data-act]')?.dataset.act;
      if (act) {
        event.target.closest('details[data-menu]')?.removeAttribute('open');
        Promise.resolve(this.actions[act]?.()).catch((error) => this.failed(error));
      }
    });
    this.modeler.on('commandStack.changed', () => {
      if (!this.importing) {
        this.changed();
      }
    });
    this.place.querySelector('[data-import-file]').addEventListener('change', async (event) => {
      const [file] = event.target.files;
      event.target.value = '';
      if (file) {
        await this.importFile(file);
      }
    });
    this.watchDrop();
    this.place.querySelector('[data-flow-file]').addEventListener('change', (event) => this.showFile(event.target.value));
    watchKeys({ save: () => this.save(), find: () => this.trigger('find'), isOpen: () => !document.getElementById('flow').hidden });
    watchLayout(this.place, () => this.modeler.get('canvas').resized());
    window.addEventListener('beforeunload', (event) => {
      if (this.saving.dirty) {
        this.saving.autosave();
        event.preventDefault();
        event.returnValue = '';
      }
    });
    // A drawing behind another tab has no size; when it is shown again it takes the new one.
    document.getElementById('tab-flow').addEventListener('click', () =>
      requestAnimationFrame(() => {
        this.modeler.get('canvas').resized();
        if (!this.placed) {
          this.showBeginning();
        }
      }),
    );
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

  changed() {
    if (!this.editable) {
      return;
    }
    this.edited = true;
    this.saving.changed();
    this.findings.changed();
  }

  fileChanged() {
    if (this.editable) {
      this.saving.changed();
      this.findings.changed();
      this.files.draw();
    }
  }

  /** What is drawn, and what stands in open editors, into the book. A file that was not touched keeps its text as it is. */
  async collect() {
    if (this.edited) {
      this.edited = false;
      const { xml } = await this.modeler.saveXML({ format: true });
      this.book.files[this.file] = xml;
    }
    await this.files.collect();
  }

  async showFile(name, place) {
    if (!name.endsWith('.bpmn')) {
      await this.files.openFile(name, { place });
      return;
    }
    if (this.file === name) {
      return;
    }
    if (this.file) {
      await this.collect();
    }
    const before = this.file;
    try {
      await this.show(this.book.files[name]);
      this.file = name;
    } catch (error) {
      console.error(error);
      note('unreadable', words('{file} cannot be drawn: {reason}', { file: name, reason: error.message }), { kind: 'error', actions: [[words('Begin a new drawing'), () => this.showNew(name)]] });
      if (before) {
        await this.show(this.book.files[before]);
      }
    }
    this.drawFileList();
    this.findings.mark();
  }

  /** Nothing of this counts as a change. */
  async show(xml) {
    this.importing = true;
    try {
      const read = await examineFile(xml);
      const { warnings } = await this.modeler.importXML(read.xml);
      read.notes.push(...warningsInWords(warnings));
      this.showBeginning();
      if (this.modeler.get('elementRegistry').getAll().length > MANY_ELEMENTS) {
        this.modeler.get('minimap').close();
      }
      return read;
    } finally {
      this.importing = false;
    }
  }

  /** The whole when it can be read, otherwise where the process begins. */
  showBeginning() {
    const canvas = this.modeler.get('canvas');
    // Behind another tab the drawing has no size to be fitted into; it is when it is shown.
    this.placed = canvas.getContainer().clientWidth > 0;
    if (!this.placed) {
      return;
    }
    const whole = canvas.zoom('fit-viewport', 'auto');
    if (whole > 1) {
      canvas.zoom(1, 'auto');
    }
    const [start] = this.modeler.get('elementRegistry').filter((each) => each.type === 'bpmn:StartEvent' && !each.labelTarget && each.parent?.type !== 'bpmn:SubProcess');
    if (whole < READABLE && start) {
      const { outer, inner } = canvas.viewbox();
      const { width, height } = outer;
      // The tools at the left edge cover a hand's breadth.
      canvas.viewbox({ x: start.x - 200 / READABLE, y: Math.max(inner.y - 40, start.y - height / READABLE / 2), width: width / READABLE, height: height / READABLE });
    }
  }

  async showNew(name = '') {
    const id = this.data.draft.processId || 'new_process';
    this.file = name || `${id}.bpmn`;
    await this.show(emptyDiagram(id, this.data.draft.title));
    this.changed();
    this.edited = true;
    this.drawFileList();
  }

  drawFileList() {
    const list = this.place.querySelector('[data-flow-file]');
    const names = [...new Set([...this.mainFirst(this.book.named('.bpmn')), ...(this.file ? [this.file] : [])])];
    list.replaceChildren(...names.map((name) => node('option', { value: name, text: name, selected: name === this.file })));
    list.hidden = names.length < 2;
  }

  // -- files from outside --------------------------------------------------------------------------------------------------------

  watchDrop() {
    const canvas = this.place.querySelector('[data-canvas]');
    canvas.addEventListener('dragover', (event) => {
      if ([...event.dataTransfer.types].includes('Files')) {
        event.preventDefault();
        canvas.classList.add('is-dropping');
      }
    });
    canvas.addEventListener('dragleave', () => canvas.classList.remove('is-dropping'));
    canvas.addEventListener('drop', async (event) => {
      canvas.classList.remove('is-dropping');
      const [file] = event.dataTransfer.files;
      if (file) {
        event.preventDefault();
        await this.importFile(file);
      }
    });
  }

  async importFile(file) {
    if (!this.editable) {
      return;
    }
    await this.collect();
    const before = this.book.files[this.file] ?? (await this.modeler.saveXML({ format: true })).xml;
    this.place.setAttribute('aria-busy', 'true');
    this.showState(words('Opening {file} …', { file: file.name }), 'open');
    try {
      const text = await textOf(file);
      // A large drawing keeps the page busy for some seconds: let it say so first.
      await new Promise((resolve) => setTimeout(resolve, 30));
      const read = await this.show(text);
      this.edited = true;
      this.changed();
      note('imported', words('{file} was imported in place of the drawing. It is kept when you save.', { file: file.name }), {
        list: read.notes,
        actions: [[words('Take it back'), () => this.replaceDrawing(before)]],
      });
    } catch (error) {
      if (!(error instanceof NotReadable)) {
        console.info('import', error);
        await this.show(before);
      }
      note('imported', words('{file} was not imported: {reason} The drawing is unchanged.', { file: file.name, reason: error instanceof NotReadable ? error.message : reasonInWords(error) }), { kind: 'error' });
    } finally {
      this.place.removeAttribute('aria-busy');
      this.showState(words(this.saving.dirty ? 'Not saved yet' : 'Everything is saved'), 'open');
    }
  }

  async replaceDrawing(xml) {
    await this.show(xml);
    this.book.files[this.file] = xml;
    this.edited = false;
    this.saving.changed();
    this.findings.changed();
  }

  // -- saving -----------------------------------------------------------------------------------------------------------------------

  showState(text, kind = '') {
    const state = this.place.querySelector('[data-save-state]');
    state.textContent = text;
    state.dataset.kind = kind;
  }

  async save() {
    if (!this.editable) {
      return false;
    }
    return this.saving.save();
  }

  saved(answer) {
    if (answer.problems) {
      this.findings.problems = answer.problems;
      this.findings.state = this.saving.dirty ? 'old' : 'fresh';
      this.findings.draw();
      this.findings.mark();
    }
    dropNote('recovery');
    dropNote('conflict');
    this.showSteps();
  }

  async check() {
    await this.findings.check();
    this.findings.place.scrollIntoView({ block: 'nearest' });
    toast(this.findings.problems.length ? words('{errors} errors, {warnings} warnings', { errors: this.findings.errors, warnings: this.findings.problems.length - this.findings.errors }) : words('Nothing found: this draft may be published.'));
  }

  /** What the next steps still need, beside their buttons. */
  showSteps() {
    const { errors, problems, state } = this.findings;
    const steps = {
      check: state === 'unknown' || state === 'failed' ? '' : errors ? words('{count} errors', { count: errors }) : problems.length ? words('{count} warnings', { count: problems.length }) : '✓',
      try: words('{count} scenarios', { count: this.files.names('scenarios').length }),
      publish: errors ? words('not yet') : '',
    };
    for (const [name, text] of Object.entries(steps)) {
      const place = this.place.querySelector(`[data-step="${name}"]`);
      if (place) {
        place.textContent = text;
        place.dataset.kind = errors && name !== 'try' ? 'bad' : '';
      }
    }
  }

  async leaveFor(url) {
    if (!this.editable || (await this.save())) {
      location.assign(url);
    }
  }

  async publish() {
    if (!(await this.save())) {
      return;
    }
    if (!(await this.findings.check())) {
      const reason = this.findings.state === 'failed' ? this.findings.reason : words('{count} errors must be corrected first; they are listed below the drawing.', { count: this.findings.errors });
      note('publish', words('This draft cannot be published yet.'), { kind: 'error', list: [reason] });
      return;
    }
    location.assign(this.data.urls.draft);
  }

  async compareWithSaved() {
    await this.collect();
    await showComparison(this.modeler, this.saving.saved, this.book.files, [words('what is saved'), words('what is drawn here')]);
  }

  async replaceAll(files) {
    this.edited = false;
    this.saving.touched = false;
    Object.keys(this.book.files).forEach((name) => delete this.book.files[name]);
    Object.assign(this.book.files, files);
    await this.files.reset();
    const name = this.book.files[this.file] === undefined ? this.mainFirst(this.book.named('.bpmn'))[0] : this.file;
    this.file = null;
    if (name) {
      await this.showFile(name);
    }
    await this.findings.check();
  }
}
