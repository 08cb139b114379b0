/**
 * The other files of the draft: lists of forms, decisions, scenarios and the rest, each opened in place.
 *
 * An editor for a kind of file registers itself with `registerEditor(kind, mountEditor)`, kind being `form`, `dmn`, `yaml` or
 * `md`. It is called as
 *
 *   mountEditor(place, {name, text, onChange(text), book, language, editable, wanted?}) → {text(): Promise<string>, destroy(),
 *     showFindings?(problems), select?(id), focus?(id)}
 *
 * `wanted` and `focus` name what is to be in front when the file is opened (a decision of it); `select` shows the place of a finding.
 * `place` is an empty `[data-file-editor]`; `onChange` is called with the new text, or with nothing when fetching it is costly
 * (then `text()` is asked before saving). Until a kind has an editor its files are shown as text, with a download.
 */
import { button, download, node } from './dom.js';
import { titleOf } from './references.js';
import { words } from './words.js';

const editors = new Map();

export const registerEditor = (kind, mountEditor) => editors.set(kind, mountEditor);

/** Tab → which files it lists. */
const SECTIONS = {
  forms: (name) => name.endsWith('.form'),
  decisions: (name) => name.endsWith('.dmn'),
  scenarios: (name) => name.startsWith('scenarios/'),
};
/** Tab → what is made there. */
const MADE = { forms: 'form', decisions: 'decision' };
const isElsewhere = (name) => name.endsWith('.bpmn') || Object.values(SECTIONS).some((belongs) => belongs(name));

/** The child of `place` with this mark, made when it is not there. */
function once(place, mark, make) {
  const there = [...place.children].find((each) => each.dataset.part === mark);
  if (there) {
    return there;
  }
  const made = make();
  made.dataset.part = mark;
  return made;
}

/** `place` holds these nodes in this order. What stands where it belongs is not touched: taken out and put back, it would lose the focus. */
function arrange(place, nodes) {
  const wanted = nodes.filter(Boolean);
  [...place.children].filter((each) => !wanted.includes(each)).forEach((each) => each.remove());
  wanted.forEach((each, index) => {
    if (place.children[index] !== each) {
      place.insertBefore(each, place.children[index] ?? null);
    }
  });
}

const kindOf = (name) => name.split('.').pop().toLowerCase();

export class Files {
  /** @param {{book: object, language: string, editable: boolean, onChange: (name: string) => void, tryIt: string}} page */
  constructor(page) {
    this.page = page;
    this.open = new Map();
    this.mounting = new Map();
    this.problems = [];
    /** Set by the page: makes, renames and removes forms and decisions. */
    this.managing = null;
  }

  names(section) {
    const belongs = SECTIONS[section] ?? ((name) => !isElsewhere(name));
    return Object.keys(this.page.book.files).filter((name) => belongs(name.toLowerCase())).sort();
  }

  draw() {
    for (const place of document.querySelectorAll('[data-files]')) {
      const section = place.dataset.files;
      const names = this.names(section);
      const count = document.querySelector(`[data-count="${section}"]`);
      if (count) {
        count.textContent = names.length ? String(names.length) : '';
      }
      const known = new Map([...place.querySelectorAll('[data-file]')].map((each) => [each.dataset.file, each]));
      arrange(place, [
        this.tools(place, section),
        ...names.map((name) => known.get(name) ?? this.row(name)),
        names.length ? null : once(place, 'none', () => node('p', { class: 'soft designer__empty', text: words('There is none in this draft yet.') })),
        section === 'scenarios' && this.page.tryIt ? once(place, 'try', () => this.wayToTry()) : null,
      ]);
    }
  }

  tools(place, section) {
    if (!MADE[section] || !this.page.editable || !this.managing) {
      return null;
    }
    const label = words(section === 'forms' ? 'New form' : 'New decision');
    return once(place, 'tools', () => node('div', { class: 'designer__file-tools' }, button(label, () => this.managing.create(MADE[section]), 'btn-primary')));
  }

  wayToTry() {
    return node('p', { class: 'designer__empty' }, node('a', { class: 'btn btn-sm', href: this.page.tryIt, text: words('Try it and keep a scenario') }));
  }

  row(name) {
    const label = this.label(name);
    const editor = node('div', { class: 'designer__file-editor', 'data-file-editor': kindOf(name) });
    const details = node(
      'details',
      { class: 'designer__file-row', 'data-file': name },
      node('summary', {}, node('strong', { text: label }), label === name ? null : node('span', { class: 'soft', text: ` ${name}` })),
      node(
        'div',
        { class: 'designer__file-actions' },
        node('span', { 'data-back': '' }),
        button(words('Close'), () => {
          details.open = false;
        }),
        button(words('Download'), () => this.download(name)),
        ...(this.page.editable && this.managing && /\.(form|dmn)$/i.test(name)
          ? [button(words('Rename …'), () => this.managing.rename(name, this.open.get(name)?.shown?.())), button(words('Remove …'), () => this.managing.remove(name))]
          : []),
      ),
      editor,
    );
    details.addEventListener('toggle', () => {
      if (details.open) {
        this.alone(details);
        this.mount(name, editor).then((opened) => opened?.focus?.());
      }
    });
    return details;
  }

  /** What people call the file: the title of a form or scenario, else the steps that use it, else its name. */
  label(name) {
    try {
      const content = /\.(form|json)$/.test(name) ? JSON.parse(this.page.book.files[name]) : {};
      const users = content.id ? this.page.book.usersOf(content.id) : [];
      return (name.endsWith('.dmn') ? titleOf(this.page.book.files[name]) : '') || content.name || content.title || users.join('、') || name;
    } catch {
      // Not readable as JSON: then its name is all there is to say.
      return name;
    }
  }

  async download(name) {
    await this.collect();
    download(name.split('/').pop(), this.page.book.files[name], 'text/plain');
  }

  /** One file of a tab is open at a time: each editor takes the height of the window. */
  alone(details) {
    for (const other of details.parentElement.querySelectorAll('details[data-file][open]')) {
      other.open = other === details;
    }
  }

  /** Opens the file in its tab; `wanted` is what of it comes to the front, `back` `[label, function]` the way back. */
  async openFile(name, { wanted, place, back } = {}) {
    const details = [...document.querySelectorAll('[data-file]')].find((each) => each.dataset.file === name);
    if (!details) {
      return;
    }
    const panel = details.closest('[role="tabpanel"]');
    document.querySelector(`[aria-controls="${panel.id}"]`).click();
    details.querySelector('[data-back]').replaceChildren(...(back ? [button(back[0], back[1], 'btn-primary')] : []));
    details.open = true;
    this.alone(details);
    const editor = await this.mount(name, details.querySelector('[data-file-editor]'), wanted);
    await editor?.focus?.(wanted);
    if (place) {
      await editor?.select?.(place);
    }
    details.scrollIntoView({ block: 'start' });
  }

  /** The open editor of the file, once. */
  mount(name, place, wanted) {
    if (!this.mounting.has(name)) {
      const begun = this.begin(name, place, wanted).catch((error) => {
        console.error(error);
        this.mounting.delete(name);
        place.replaceChildren(
          node('p', { class: 'designer__unreadable', role: 'alert', text: words('The editor of this file could not be loaded. The file itself is unchanged.') }),
          button(words('Try again'), () => this.mount(name, place, wanted)),
        );
      });
      this.mounting.set(name, begun);
    }
    return this.mounting.get(name);
  }

  async begin(name, place, wanted) {
    const text = this.page.book.files[name];
    const mountEditor = editors.get(kindOf(name));
    if (!mountEditor || (!this.page.editable && kindOf(name) !== 'form')) {
      place.replaceChildren(node('pre', { class: 'designer__text', tabindex: '0', text }));
      return null;
    }
    place.replaceChildren(node('p', { class: 'soft', text: words('Opening {file} …', { file: name }) }));
    const { book, language, editable } = this.page;
    const onChange = (next) => {
      if (next !== undefined) {
        book.files[name] = next;
      }
      this.page.onChange(name);
    };
    const editor = await mountEditor(place, { name, text, onChange, book, language, editable, wanted });
    if (book.files[name] !== text) {
      // It was removed, or another text came in its place, while its editor was being fetched.
      editor.destroy();
      return null;
    }
    this.open.set(name, editor);
    editor.showFindings?.(this.problems.filter((each) => each.file === name));
    return editor;
  }

  showFindings(problems) {
    if (problems === this.problems) {
      return;
    }
    this.problems = problems;
    for (const [name, editor] of this.open) {
      editor.showFindings?.(problems.filter((each) => each.file === name));
    }
  }

  // -- files that come and go ------------------------------------------------------------------------------------------------

  #close(name) {
    this.open.get(name)?.destroy();
    this.open.delete(name);
    this.mounting.delete(name);
    [...document.querySelectorAll('[data-file]')].find((each) => each.dataset.file === name)?.remove();
  }

  /** A new file stands in the book: it is listed and opened. */
  added(name) {
    this.page.onChange(name);
    this.draw();
    return this.openFile(name);
  }

  /** A new file that came along with something else: it is listed, but nobody asked to see it. */
  brought(name) {
    this.page.onChange(name);
    this.draw();
  }

  removed(name) {
    this.#close(name);
    delete this.page.book.files[name];
    this.page.onChange(name);
    this.draw();
  }

  /** `before` is now `after` (the same name, or another) and has this text. */
  replaced(before, after, text) {
    this.#close(before);
    delete this.page.book.files[before];
    this.page.book.files[after] = text;
    return this.added(after);
  }

  /** Texts of the open editors into the book. */
  async collect() {
    for (const [name, editor] of [...this.open]) {
      const text = await editor.text();
      // It may have been closed, with its file removed, while the text was fetched.
      if (this.open.get(name) === editor) {
        this.page.book.files[name] = text;
      }
    }
  }

  /** These files have another text now, from outside, or are gone: what is open of them closes. */
  reset(names, files) {
    for (const name of names) {
      this.#close(name);
      if (files[name] === undefined) {
        delete this.page.book.files[name];
      } else {
        this.page.book.files[name] = files[name];
      }
    }
    this.draw();
  }
}
