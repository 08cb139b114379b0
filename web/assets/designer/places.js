/** The ways between the drawing and the other files: a step's form or decision in place and back, and the simulation. */
import { toast } from '../lib/toasts.js';
import { simulate } from './editors.js';
import { Managing } from './managing.js';
import { referenceOf, setReference } from './panel/references.js';
import { definedIn, renamedIn } from './references.js';
import { words } from './words.js';

/** How a new form or decision of a step is called first. */
const TITLES = { form: 'Form of “{name}”', decision: 'Decision of “{name}”' };

export class Places {
  /** @param {object} page  the page: `book`, `files`, `modeler`, `place`, `file`, `collect()`, `showFile()`, `failed()` */
  constructor(page) {
    this.page = page;
    const { book, files } = page;
    files.managing = new Managing({ book, files, collect: () => page.collect(), rename: (...names) => this.rename(...names) });
    page.modeler.on('banjie.open', (event) => {
      this.open(event).catch((error) => page.failed(error));
    });
  }

  /** The form or decision `id` is called `next` in the drawings `names`. In the open one each is a step that can be undone. */
  async rename(names, kind, id, next) {
    const { book, modeler } = this.page;
    for (const name of names.filter((each) => each !== this.page.file)) {
      book.files[name] = renamedIn(book.files[name], kind, id, next);
    }
    const get = (service) => modeler.get(service);
    for (const element of modeler.get('elementRegistry').filter((each) => !each.labelTarget && referenceOf(each, kind) === id)) {
      setReference(get, element, kind, next);
    }
    await this.page.collect();
  }

  /** The file of the draft that defines a form, a decision or a process. */
  fileOf(kind, id) {
    const { files } = this.page.book;
    if (kind === 'process') {
      return this.page.book.named('.bpmn').find((name) => new DOMParser().parseFromString(files[name], 'application/xml').querySelector(`process[id="${CSS.escape(id)}"]`));
    }
    return this.page.book.named(kind === 'form' ? '.form' : '.dmn').find((name) => definedIn(name, files[name]).some((each) => each.id === id));
  }

  async open({ element, kind, id }) {
    const { page } = this;
    const name = element.businessObject.name || element.id;
    const drawing = page.file;
    await page.collect();
    const back = [words('Back to “{name}”', { name }), () => this.back(drawing, element.id)];
    if (!id) {
      const base = element.businessObject.id.replace(/[^\p{L}\p{N}_-]/gu, '_').replace(/^[^\p{L}_]+/u, '');
      const made = await page.files.managing.create(kind, { title: words(TITLES[kind], { name }), base: base || kind });
      if (made) {
        setReference((service) => page.modeler.get(service), element, kind, made.id);
        await page.files.openFile(made.file, { wanted: made.id, back });
      }
      return;
    }
    const file = this.fileOf(kind, id);
    if (!file) {
      toast(words('“{id}” is not a file of this draft. It is published with another procedure, and is changed there.', { id }));
    } else if (kind === 'process') {
      await page.showFile(file);
    } else {
      await page.files.openFile(file, { wanted: id, back });
    }
  }

  /** To the drawing, with the same step selected. */
  async back(drawing, id) {
    document.getElementById('tab-flow').click();
    await this.page.showFile(drawing);
    requestAnimationFrame(() => {
      this.page.modeler.get('canvas').resized();
      this.page.findings.select(id);
    });
  }

  /** The simulation in place of the drawing, or the drawing again. */
  async simulation() {
    const { place } = this.page;
    const pane = place.querySelector('[data-simulation]');
    const begins = pane.hidden;
    if (begins) {
      await this.page.collect();
      pane.hidden = false;
      place.querySelector('[data-work]').hidden = true;
      const xml = this.page.book.files[this.page.file];
      this.running = await simulate(pane, xml);
    } else {
      this.running?.destroy();
      this.running = null;
      pane.hidden = true;
      place.querySelector('[data-work]').hidden = false;
    }
    const key = place.querySelector('[data-act="simulate"]');
    key.setAttribute('aria-pressed', String(begins));
    key.textContent = words(begins ? 'Leave the simulation' : 'Token simulation');
    place.querySelectorAll('.designer__tools > :not([data-act="simulate"])').forEach((each) => each.classList.toggle('is-resting', begins));
    if (!begins) {
      this.page.modeler.get('canvas').resized();
    }
  }
}
