/** The drawing in front: which file of the draft it is, whether it was touched, and how another comes in its place. */
import { note, node } from './dom.js';
import { examineFile, NotReadable, warningsInWords } from './importing.js';
import { emptyDiagram, MANY_ELEMENTS } from './modeler.js';
import { words } from './words.js';

/** Below this zoom the names of the steps cannot be read. */
const READABLE = 0.6;
/** The tools at the left edge cover this much of the drawing. */
const TOOLS_WIDTH = 200;

export class Drawing {
  /**
   * @param {{modeler: object, book: import('./book.js').Book, draft: {processId: string, title: string}, list: HTMLSelectElement, onChange: () => void, onShown: () => void}} page
   *   `list` offers the drawings of a draft with several
   */
  constructor(page) {
    Object.assign(this, page);
    this.file = null;
    this.edited = false;
    /** The text from which the drawing came, when the draft has it like that: where every step is undone, it stands there again, letter for letter. */
    this.opened = null;
    this.importing = false;
    this.last = Promise.resolve();
    this.modeler.on('commandStack.changed', () => {
      if (!this.importing) {
        this.touched();
      }
    });
  }

  touched() {
    this.edited = true;
    this.onChange();
  }

  /** What fetches or replaces the drawing waits for whatever does so already: a save meets no half-imported file. */
  #inTurn(work) {
    const done = this.last.catch(() => {}).then(work);
    this.last = done;
    return done;
  }

  /** The text of what is drawn into the book. A drawing that was not touched keeps its text as it is. */
  collect() {
    return this.#inTurn(() => this.#collect());
  }

  async #collect() {
    if (this.edited && this.file) {
      this.edited = false;
      try {
        const asOpened = this.opened !== null && !this.modeler.get('commandStack').canUndo();
        this.book.files[this.file] = asOpened ? this.opened : (await this.modeler.saveXML({ format: true })).xml;
      } catch (error) {
        this.edited = true;
        throw error;
      }
    }
  }

  /** Nothing of this counts as a change. `isOurs`: the draft has this very text. */
  async #show(xml, isOurs = true) {
    this.importing = true;
    try {
      const read = await examineFile(xml);
      const { warnings } = await this.modeler.importXML(read.xml);
      this.opened = isOurs ? xml : null;
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

  /** The file `name` of the draft in front. One that cannot be drawn is told, and the drawing before it stays. */
  async open(name) {
    await this.#inTurn(async () => {
      if (this.file === name) {
        return;
      }
      if (this.file) {
        await this.#collect();
      }
      try {
        await this.#show(this.book.files[name]);
        this.file = name;
      } catch (error) {
        console.error(error);
        note('unreadable', words('{file} cannot be drawn: {reason}', { file: name, reason: error.message }), { kind: 'error', actions: [[words('Begin a new drawing'), () => this.begin(name)]] });
        if (this.file) {
          await this.#show(this.book.files[this.file]);
        } else {
          // What is imported now comes in place of what cannot be drawn.
          this.unreadable = name;
        }
      }
    });
    this.drawList();
    this.onShown();
  }

  /** An empty drawing, as the file `name` or under the id of the process. */
  async begin(name = '') {
    const id = this.draft.processId || 'new_process';
    await this.#inTurn(async () => {
      if (this.file) {
        await this.#collect();
      }
      await this.#show(emptyDiagram(id, this.draft.title), false);
      this.file = name || `${id}.bpmn`;
      this.touched();
    });
    this.drawList();
  }

  /**
   * Another text in place of this drawing, as a change. Resolves to `{notes, before}`: what was not understood, and the text that was
   * drawn before, if any. Rejects when it cannot be drawn; the drawing is then as it was.
   */
  bringIn(xml) {
    return this.#inTurn(async () => {
      await this.#collect();
      const before = this.file && this.book.files[this.file];
      try {
        const { notes } = await this.#show(xml, false);
        this.file ??= this.unreadable;
        this.touched();
        return { notes, before };
      } catch (error) {
        // What is no BPMN at all was refused before the tool saw it.
        if (before && !(error instanceof NotReadable)) {
          await this.#show(before);
        }
        throw error;
      }
    });
  }

  /** This very text in place of the drawing, as a change. */
  replace(xml) {
    return this.#inTurn(async () => {
      await this.#show(xml);
      this.book.files[this.file] = xml;
      this.edited = false;
      this.onChange();
    });
  }

  /** The files were replaced from outside: what was drawn since counts no more, and `name` is to be shown as it is in the book. */
  async reset(name) {
    await this.#inTurn(() => {
      this.edited = false;
      this.file = null;
    });
    if (name) {
      await this.open(name);
    }
  }

  // -- how it lies in its frame ------------------------------------------------------------------------------------------------

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
      canvas.viewbox({ x: start.x - TOOLS_WIDTH / READABLE, y: Math.max(inner.y - 40, start.y - height / READABLE / 2), width: width / READABLE, height: height / READABLE });
    }
  }

  /** A drawing behind another tab has no size; when it is shown again it takes the new one. */
  cameToFront() {
    requestAnimationFrame(() => {
      this.modeler.get('canvas').resized();
      if (!this.placed) {
        this.showBeginning();
      }
    });
  }

  /** The drawings of the draft, the one of its process first. */
  get names() {
    const main = `id="${this.draft.processId}"`;
    const isMain = (name) => (this.book.files[name]?.includes(main) ? 1 : 0);
    return this.book.named('.bpmn').sort((one, other) => isMain(other) - isMain(one));
  }

  drawList() {
    const names = [...new Set([...this.names, ...(this.file ? [this.file] : [])])];
    this.list.replaceChildren(...names.map((name) => node('option', { value: name, text: name, selected: name === this.file })));
    this.list.hidden = names.length < 2;
  }
}
