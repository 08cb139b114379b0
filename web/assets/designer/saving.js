/**
 * Saving of a draft. Three nets, each below the other: the server's draft (with its revision), the autosave of this person on
 * the server, and this browser's store for the time when neither could be reached.
 */
import { Refused, putJson } from '../lib/http.js';
import { inAnotherName, signInAgain } from '../lib/sign_in.js';
import { clockTime, words } from './words.js';

const QUIET_MILLISECONDS = 3000;

const isSessionLost = (error) => error.status === 401 || (error.status === 400 && error.body.code === 'csrf');

export class Saving {
  /**
   * @param {{draft: object, files: Record<string, string>, urls: object}} data
   * @param {object} page  `book`, and what the page does:
   *   `handOn()` takes over what is being typed; `collect()` brings what is being edited into `book.files`; `show(text, kind)` says how
   *   things stand; `onSaved(answer)`; `onConflict(answer)`: somebody else saved between, resolves to whether that is settled; `onClosed(sentence)`: the draft takes no
   *   changes any more; `failed(error)`
   */
  constructor({ draft, files, urls, person = '' }, page) {
    this.urls = urls;
    this.revision = draft.revision;
    this.saved = { ...files };
    this.page = page;
    this.slot = `banjie.design:${person}:${draft.key}:`;
    this.timer = null;
    /** The save and the autosave that are under way, and the save that follows. */
    this.busy = null;
    this.keeping = null;
    this.next = null;
    /** What the server keeps of this person's unsaved work, by file. */
    this.sent = {};
    /** Signing in again was put off: only a save asks for it again. */
    this.signedOut = false;
  }

  /** What differs from the server's draft: name → text, `null` for a removed file. */
  changes() {
    const { files } = this.page.book;
    const found = {};
    for (const name of new Set([...Object.keys(files), ...Object.keys(this.saved)])) {
      if (files[name] !== this.saved[name]) {
        found[name] = files[name] ?? null;
      }
    }
    return found;
  }

  get dirty() {
    return Boolean(this.touched) || Object.keys(this.changes()).length > 0;
  }

  /** Says whether everything is saved. */
  tell() {
    const { dirty } = this;
    this.page.show(words(dirty ? 'Not saved yet' : 'Everything is saved'), dirty ? 'open' : 'good');
  }

  /** Something was edited; the text itself is fetched when it is quiet. */
  changed() {
    this.touched = true;
    this.page.show(words('Not saved yet'), 'open');
    this.#autosaveLater();
  }

  #autosaveLater() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.autosave().catch((error) => this.page.failed(error)), QUIET_MILLISECONDS);
  }

  /** All that stands on the page now, also what is still being typed. What is edited while the texts are fetched counts as a new change. */
  async collected() {
    this.page.handOn();
    this.touched = false;
    try {
      await this.page.collect();
    } catch (error) {
      this.touched = true;
      throw error;
    }
    return this.changes();
  }

  // -- kept automatically ----------------------------------------------------------------------------------------------------

  /** Never beside a real save: an autosave that arrives after it would offer to recover what is saved. */
  async autosave() {
    clearTimeout(this.timer);
    if (this.busy) {
      this.#autosaveLater();
      return;
    }
    this.keeping ??= this.#autosave().finally(() => (this.keeping = null));
    await this.keeping;
  }

  async #autosave() {
    const changes = await this.collected();
    const unsaved = Object.entries(changes).filter(([file, content]) => content !== null && this.sent[file] !== content);
    // Taken back by hand: what the server kept of it is no work that was lost.
    const takenBack = Object.keys(this.sent).filter((file) => !(file in changes) && this.saved[file] !== undefined);
    for (const [file, content] of [...unsaved, ...takenBack.map((each) => [each, this.saved[each]])]) {
      if (this.signedOut || !(await this.#send(file, content))) {
        unsaved.forEach(([each, text]) => this.keep(each, text));
        if (this.signedOut) {
          this.page.show(words('Not saved on the server; kept in this browser'), 'bad');
        }
        return;
      }
      if (file in changes) {
        this.page.show(words('Kept automatically {time}, not saved yet', { time: clockTime(new Date()) }), 'open');
      } else {
        delete this.sent[file];
      }
    }
    if (!Object.keys(changes).length && !this.touched) {
      this.tell();
    }
  }

  /** Resolves to whether the server keeps this text of the file; if not, the page says why. */
  async #send(file, content) {
    try {
      await putJson(this.urls.autosave, { revision: this.revision, file, content });
      this.sent[file] = content;
      this.forget(file);
      return true;
    } catch (error) {
      const refused = error instanceof Refused;
      this.page.show((refused && !isSessionLost(error) && error.body.message) || words('Not saved on the server; kept in this browser'), 'bad');
      if (refused && isSessionLost(error)) {
        this.keep(file, content);
        this.signedOut = !(await signInAgain());
        return !this.signedOut && this.#send(file, content);
      }
      return false;
    }
  }

  // -- for good -----------------------------------------------------------------------------------------------------------------

  /**
   * Save for good. Resolves to true when the server has it. A save that is asked for while one is under way follows it: what was changed
   * between the two is to be saved as well.
   */
  save(options = {}) {
    if (!this.busy) {
      this.busy = this.#save(options).finally(() => (this.busy = null));
      return this.busy;
    }
    this.next ??= this.busy.then(
      (saved) => {
        this.next = null;
        return saved ? this.save(options) : false;
      },
      () => {
        // Whoever asked for the first one is told.
        this.next = null;
        return false;
      },
    );
    return this.next;
  }

  async #save({ note = '' }) {
    clearTimeout(this.timer);
    // What it could not keep is kept, or told, by the save.
    await this.keeping?.catch((error) => console.info('autosave', error));
    const changes = await this.collected();
    if (!Object.keys(changes).length) {
      this.tell();
      return true;
    }
    this.page.show(words('Saving…'), 'open');
    try {
      // What was kept of a file and then taken back by hand goes with this save: the server forgets what it is told of, and nothing else.
      const takenBack = Object.keys(this.sent).filter((file) => !(file in changes) && this.saved[file] !== undefined);
      const files = { ...Object.fromEntries(takenBack.map((file) => [file, this.saved[file]])), ...changes };
      const answer = await putJson(this.urls.save, { revision: this.revision, files, note });
      this.accepted(answer, changes);
      return true;
    } catch (error) {
      return this.refused(error, changes, note);
    }
  }

  accepted(answer, changes) {
    this.revision = answer.revision;
    this.signedOut = false;
    for (const [name, text] of Object.entries(changes)) {
      if (text === null) {
        delete this.saved[name];
      } else {
        this.saved[name] = text;
      }
      this.forget(name);
    }
    this.sent = {};
    this.page.show(words('Saved {time}', { time: clockTime(answer.savedAt ? new Date(answer.savedAt) : new Date()) }), 'good');
    if (this.dirty) {
      this.changed();
    }
    this.page.onSaved(answer);
  }

  async refused(error, changes, note) {
    for (const [name, text] of Object.entries(changes)) {
      if (text !== null) {
        this.keep(name, text);
      }
    }
    if (!(error instanceof Refused)) {
      throw error;
    }
    if (isSessionLost(error)) {
      this.page.show(words('Not saved on the server; kept in this browser'), 'bad');
      return (await signInAgain()) ? this.#save({ note }) : false;
    }
    if (error.status === 409 && error.body.files) {
      this.page.show(words('Somebody else has saved meanwhile'), 'bad');
      return (await this.page.onConflict(error.body)) ? this.#save({ note }) : false;
    }
    if (error.status === 403 && inAnotherName()) {
      this.page.show(error.body.message, 'bad');
      return (await signInAgain({ because: words('{reason} Your work is still on this page.', { reason: error.body.message }) })) ? this.#save({ note }) : false;
    }
    const reason = error.body.message ?? (error.status ? words('The server could not save this; please try again.') : words('The server cannot be reached. Your work is still on this page.'));
    this.page.show(reason, 'bad');
    if (error.status === 409) {
      // Without files it is no conflict: the draft was submitted, published or put away meanwhile.
      this.page.onClosed(reason);
    }
    return false;
  }

  /** After a conflict: go on from their revision, with `kept` on this page. What was kept automatically of a file that is theirs now is taken back. */
  rebase(revision, files, kept) {
    this.revision = revision;
    this.saved = { ...files };
    this.sent = Object.fromEntries(Object.entries(this.sent).filter(([name]) => kept[name] === files[name]));
  }

  // -- this browser's store ------------------------------------------------------------------------------------------------

  keep(file, content) {
    try {
      localStorage.setItem(this.slot + file, JSON.stringify({ content, at: new Date().toISOString(), revision: this.revision }));
    } catch (error) {
      // A full or forbidden store must not stop the work; the page still has it.
      console.warn('draft not kept in this browser', error);
    }
  }

  forget(file) {
    localStorage.removeItem(this.slot + file);
  }

  /** Earlier work that was never saved: file → {content, at}, the newer of the server's and this browser's. */
  recoverable(autosaves = {}) {
    const found = {};
    const offer = (file, each) => {
      if (each?.content && each.content !== this.saved[file] && (!found[file] || each.at > found[file].at)) {
        found[file] = each;
      }
    };
    Object.entries(autosaves).forEach(([file, each]) => offer(file, each));
    for (let index = 0; index < localStorage.length; index += 1) {
      const key = localStorage.key(index);
      if (key.startsWith(this.slot)) {
        try {
          offer(key.slice(this.slot.length), JSON.parse(localStorage.getItem(key)));
        } catch (error) {
          console.warn('unreadable autosave in this browser', error);
        }
      }
    }
    return found;
  }

  discard(files) {
    files.forEach((file) => this.forget(file));
  }
}
