/**
 * Somebody else saved between. What only one of the two changed comes together by itself; of a file that both changed one is chosen, and
 * the other one stays as a draft of its own.
 */
import { postMultipart, putJson } from '../lib/http.js';
import { showComparison } from './compare.js';
import { button, dropNote, node, note } from './dom.js';
import { clockTime, words } from './words.js';

/** File names in which the two sets of files differ. */
const differing = (one, other) => [...new Set([...Object.keys(one), ...Object.keys(other)])].filter((name) => one[name] !== other[name]);
const only = (files, name) => (typeof files[name] === 'string' ? { [name]: files[name] } : {});

/** @param {{by?: string, at?: string, revision: number, files: Record<string, string>}} answer  of the server. Resolves to whether everything came together. */
export async function conflict(page, answer) {
  const meeting = new Meeting(page, answer);
  await page.collect();
  if (meeting.both().length) {
    meeting.ask();
    return false;
  }
  await meeting.merge();
  return true;
}

class Meeting {
  constructor(page, answer) {
    this.page = page;
    this.theirs = answer.files;
    this.revision = answer.revision;
    this.who = answer.by || words('somebody else');
    this.when = answer.at ? clockTime(new Date(answer.at)) : '';
    /** What both began with. */
    this.base = { ...page.saving.saved };
    /** File → `mine` or `theirs`. */
    this.chosen = {};
  }

  mine() {
    return this.page.saving.changes();
  }

  /** Files that both changed, and not into the same. */
  both() {
    const mine = this.mine();
    return differing(this.base, this.theirs).filter((name) => name in mine && (mine[name] ?? undefined) !== this.theirs[name]);
  }

  // -- the choice ------------------------------------------------------------------------------------------------------------

  ask() {
    note('conflict', words('{name} saved this draft at {time} and changed the same files as you. Choose one for each; the other stays as a draft of its own.', { name: this.who, time: this.when }), {
      kind: 'error',
      closable: false,
      content: [node('div', { class: 'designer__conflict' }, ...this.both().map((name) => this.row(name)))],
    });
  }

  row(name) {
    const choice = (side, label) => node('button', { type: 'button', class: 'btn btn-sm', 'data-choice': side, 'aria-pressed': String(this.chosen[name] === side), text: label, onclick: () => this.choose(name, side).catch((error) => this.page.failed(error)) });
    return node('div', { role: 'group', 'aria-label': name, 'data-conflict': name }, node('strong', { text: name }), button(words('Compare'), () => this.compare(name)), choice('mine', words('Keep mine')), choice('theirs', words('Take theirs')));
  }

  async compare(name) {
    await this.page.collect();
    const own = { ...this.page.book.files };
    const answered = await showComparison(this.page.modeler, only(this.theirs, name), only(own, name), [words('the version of {name}', { name: this.who }), words('mine')], [
      ['', words('Decide later')],
      ['theirs', words('Take theirs')],
      ['mine', words('Keep mine'), 'btn-primary'],
    ]);
    if (answered) {
      await this.choose(name, answered);
    }
  }

  async choose(name, side) {
    this.chosen[name] = side;
    await this.page.collect();
    if (this.both().every((each) => this.chosen[each])) {
      await this.settle();
    } else {
      this.ask();
    }
  }

  /** Everything is chosen: first what is not taken gets a place of its own, then the rest comes together. */
  async settle() {
    document.querySelectorAll('[data-note="conflict"] button').forEach((each) => (each.disabled = true));
    let kept;
    try {
      kept = await this.setAside();
    } catch (error) {
      console.error(error);
      this.page.showState(error.body?.message ?? words('The other version could not be kept; nothing was changed. Please choose again.'), 'bad');
      this.chosen = {};
      this.ask();
      return;
    }
    const given = this.both().filter((name) => this.chosen[name] === 'theirs');
    await this.merge();
    this.page.saving.discard(given);
    dropNote('conflict');
    dropNote('newer');
    note('kept', words('What was not taken stands in a draft of its own:'), {
      content: kept.map(({ title, url }) => node('p', {}, node('a', { href: url, target: '_blank', rel: 'noopener', text: title }))),
    });
    if (Object.keys(this.mine()).length) {
      await this.page.save();
    } else {
      await this.page.saving.autosave();
    }
  }

  /** The versions that are not taken, each as a copy of the draft: `[{title, url}]`. */
  async setAside() {
    const sides = new Set(this.both().map((name) => this.chosen[name]));
    const kept = [];
    if (sides.has('mine')) {
      kept.push(await this.copy(this.who, this.when, {}));
    }
    if (sides.has('theirs')) {
      kept.push(await this.copy(this.page.data.personName, clockTime(new Date()), this.mine()));
    }
    return kept;
  }

  async copy(name, time, files) {
    const form = new FormData();
    form.set('title', words('{title} (as {name} had it at {time})', { title: this.page.data.draft.title, name, time }));
    const copied = await postMultipart(this.page.data.urls.copy, form);
    if (Object.keys(files).length) {
      await putJson(copied.save, { revision: copied.revision, files, note: '' });
    }
    return copied;
  }

  // -- coming together -------------------------------------------------------------------------------------------------------

  /** Their files, and of one's own what was changed and not given up. What the page shows of the others is drawn anew. */
  async merge() {
    const mine = Object.entries(this.mine()).filter(([name]) => this.chosen[name] !== 'theirs');
    const files = { ...this.theirs, ...Object.fromEntries(mine) };
    mine.filter(([, text]) => text === null).forEach(([name]) => delete files[name]);
    const taken = differing(files, this.page.book.files).filter((name) => !this.chosen[name]);
    this.page.saving.rebase(this.revision, this.theirs, files);
    await this.page.adopt(files);
    if (taken.length) {
      note('merged', words('{name} had saved meanwhile; taken over from there: {files}. What you changed is kept.', { name: this.who, files: taken.join('、') }));
    }
  }
}
