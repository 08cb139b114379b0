/**
 * Saving of a draft. Three nets, each below the other: the server's draft (with its revision), the autosave of this person on
 * the server, and this browser's store for the time when neither could be reached.
 */
import { signInAgain } from '../lib/dialogs.js';
import { Refused, postJson } from '../lib/http.js';
import { clockTime, words } from './words.js';

const QUIET_MILLISECONDS = 3000;

const put = (url, value, options = {}) => postJson(url, value, { ...options, method: 'PUT' });
const isSessionLost = (error) => error.status === 401 || (error.status === 400 && error.body.code === 'csrf');

export class Saving {
  /**
   * @param {{draft: object, files: Record<string, string>, urls: object}} data
   * @param {{collect: () => Promise<void>, book: object, show: (text: string, kind?: string) => void, onSaved: (answer: object) => void, onConflict: (answer: object) => void}} page
   *   `collect` brings what is being edited into `book.files`
   */
  constructor({ draft, files, urls, person = '' }, page) {
    this.urls = urls;
    this.revision = draft.revision;
    this.saved = { ...files };
    this.page = page;
    this.slot = `banjie.design:${person}:${draft.key}:`;
    this.timer = null;
    this.busy = null;
    this.keeping = null;
    this.kept = new Set();
    this.sent = {};
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

  /** Something was edited; the text itself is fetched when it is quiet. */
  changed() {
    this.touched = true;
    this.page.show(words('Not saved yet'), 'open');
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.autosave(), QUIET_MILLISECONDS);
  }

  async collected() {
    if (this.touched) {
      // First, so that what is edited while the texts are fetched is not forgotten.
      this.touched = false;
      await this.page.collect();
    }
    return this.changes();
  }

  /** Never beside a real save: an autosave that arrives after it would offer to recover what is saved. */
  async autosave() {
    clearTimeout(this.timer);
    if (this.busy) {
      this.timer = setTimeout(() => this.autosave(), QUIET_MILLISECONDS);
      return;
    }
    this.keeping ??= this.#autosave().finally(() => (this.keeping = null));
    await this.keeping;
  }

  async #autosave() {
    const changes = await this.collected();
    for (const [file, content] of Object.entries(changes)) {
      if (content === null || this.sent[file] === content) {
        continue;
      }
      try {
        await put(this.urls.autosave, { revision: this.revision, file, content });
        this.sent[file] = content;
        this.forget(file);
        this.page.show(words('Kept automatically {time}, not saved yet', { time: clockTime(new Date()) }), 'open');
      } catch (error) {
        this.keep(file, content);
        if (error instanceof Refused && isSessionLost(error)) {
          this.page.show(words('Not saved on the server; kept in this browser'), 'bad');
          if (await signInAgain()) {
            await this.#autosave();
          }
          return;
        }
        if (error instanceof Refused && error.body.message) {
          this.page.show(error.body.message, 'bad');
          return;
        }
        this.page.show(words('Not saved on the server; kept in this browser'), 'bad');
      }
    }
    if (!Object.keys(changes).length && !this.touched) {
      this.page.show(words('Everything is saved'), 'good');
    }
  }

  /** Save for good. Resolves to true when the server has it. */
  save(options = {}) {
    this.busy ??= this.#save(options).finally(() => (this.busy = null));
    return this.busy;
  }

  async #save({ note = '' }) {
    clearTimeout(this.timer);
    await this.keeping;
    const changes = await this.collected();
    if (!Object.keys(changes).length) {
      this.page.show(words('Everything is saved'), 'good');
      return true;
    }
    this.page.show(words('Saving…'), 'open');
    try {
      const answer = await put(this.urls.save, { revision: this.revision, files: changes, note });
      this.accepted(answer, changes);
      return true;
    } catch (error) {
      return this.refused(error, changes);
    }
  }

  accepted(answer, changes) {
    this.revision = answer.revision;
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

  async refused(error, changes) {
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
      return (await signInAgain()) ? this.#save({}) : false;
    }
    // A 409 without files is a draft that was closed meanwhile; the message says so.
    if (error.status === 409 && error.body.files) {
      this.page.show(words('Somebody else has saved meanwhile'), 'bad');
      this.page.onConflict(error.body);
      return false;
    }
    const reason = error.body.message ?? (error.status ? words('The server could not save this; please try again.') : words('The server cannot be reached. Your work is still on this page.'));
    this.page.show(reason, 'bad');
    return false;
  }

  /** After a conflict: go on from their revision. */
  rebase(revision, files) {
    this.revision = revision;
    this.saved = { ...files };
    this.sent = {};
  }

  // -- this browser's store ------------------------------------------------------------------------------------------------

  keep(file, content) {
    try {
      localStorage.setItem(this.slot + file, JSON.stringify({ content, at: new Date().toISOString(), revision: this.revision }));
      this.kept.add(file);
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
