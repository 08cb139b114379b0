/**
 * Drafts: a little while after the last change the form goes to the server; what could not be sent stays in this browser,
 * under the task and its revision, until it could. Nothing of a case is left in the browser once the server has it.
 */
import { signInAgain } from './sign_in.js';
import { Refused, postJson } from './http.js';
import { clockTime, words } from './words.js';

const quietMilliseconds = 1200;

export class Drafts {
  /**
   * @param {{url: string, key: string, revision: number}} place
   * @param {() => object} collect  what to keep: `{data, opinion}`
   * @param {(text: string) => void} show  writes the state line
   */
  constructor({ url, key, revision }, collect, show) {
    this.url = url;
    this.revision = revision;
    this.slot = `banjie.draft:${key}:${revision}`;
    this.collect = collect;
    this.show = show;
    this.timer = null;
    this.dirty = false;
    /** Whether the task went on without us: then only the server's answer to the form itself says who did what, and when. */
    this.overtaken = false;
  }

  /** What this browser kept because the server never got it, or `null`. */
  kept() {
    try {
      return JSON.parse(localStorage.getItem(this.slot));
    } catch {
      return null;
    }
  }

  forget() {
    localStorage.removeItem(this.slot);
  }

  changed() {
    this.dirty = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), quietMilliseconds);
  }

  /**
   * Send now. Resolves to true when the server has the draft. A lost session asks to sign in and tries once more;
   * a lost network keeps the draft here and says so.
   */
  async save({ leaving = false } = {}) {
    clearTimeout(this.timer);
    const draft = this.collect();
    this.keep(draft);
    this.dirty = false;
    this.show(words('Saving…'));
    try {
      const answer = await postJson(this.url, { ...draft, revision: this.revision }, { keepalive: leaving });
      if (!this.dirty) {
        this.forget();
      }
      this.show(words('Saved {time}', { time: clockTime(answer.saved_at ? new Date(answer.saved_at) : new Date()) }));
      return true;
    } catch (error) {
      return leaving || !(error instanceof Refused) ? this.notSaved(error) : this.refused(error);
    }
  }

  keep(draft) {
    try {
      localStorage.setItem(this.slot, JSON.stringify({ ...draft, at: new Date().toISOString() }));
    } catch (error) {
      // A full or forbidden store must not stop the work; the server's copy is the one that counts.
      console.warn('draft not kept in this browser', error);
    }
  }

  notSaved(error) {
    console.warn('draft not sent', error);
    this.dirty = true;
    this.show(words('Not saved on the server; kept in this browser'));
    return false;
  }

  async refused(error) {
    this.dirty = true;
    if (error.status === 401 || (error.status === 400 && error.body.code === 'csrf')) {
      this.show(words('Not saved on the server; kept in this browser'));
      return (await signInAgain()) ? this.save() : false;
    }
    if (error.status === 409) {
      this.overtaken = true;
      this.show(error.body.message ?? words('Somebody else has changed this task; reload the page'));
      return false;
    }
    if (error.body.message) {
      this.show(error.body.message);
      return false;
    }
    return this.notSaved(error);
  }
}
