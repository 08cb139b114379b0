/**
 * The other files of the draft: lists of forms, decisions, scenarios and the rest, each opened in place.
 *
 * An editor for a kind of file registers itself with `registerEditor(kind, mountEditor)`, kind being `form`, `dmn`, `yaml` or
 * `md`. It is called as
 *
 *   mountEditor(place, {name, text, onChange(text), book, language, editable}) → {text(): Promise<string>, destroy()}
 *
 * `place` is an empty `[data-file-editor]`; `onChange` is called with the new text, or with nothing when fetching it is costly
 * (then `text()` is asked before saving). Until a kind has an editor its files are shown as text, with a download.
 */
import { button, download, node } from './dom.js';
import { words } from './words.js';

const editors = new Map();

export const registerEditor = (kind, mountEditor) => editors.set(kind, mountEditor);

/** Tab → which files it lists. */
const SECTIONS = {
  forms: (name) => name.endsWith('.form'),
  decisions: (name) => name.endsWith('.dmn'),
  scenarios: (name) => name.startsWith('scenarios/'),
};
const isElsewhere = (name) => name.endsWith('.bpmn') || Object.values(SECTIONS).some((belongs) => belongs(name));

const kindOf = (name) => name.split('.').pop().toLowerCase();

export class Files {
  /** @param {{book: object, language: string, editable: boolean, onChange: (name: string) => void, tryIt: string}} page */
  constructor(page) {
    this.page = page;
    this.open = new Map();
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
      place.replaceChildren(...(names.length ? names.map((name) => known.get(name) ?? this.row(name)) : [node('p', { class: 'soft designer__empty', text: words('There is none in this draft yet.') })]));
      if (section === 'scenarios' && this.page.tryIt) {
        place.append(node('p', { class: 'designer__empty' }, node('a', { class: 'btn btn-sm', href: this.page.tryIt, text: words('Try it and keep a scenario') })));
      }
    }
  }

  row(name) {
    const label = this.label(name);
    const editor = node('div', { class: 'designer__file-editor', 'data-file-editor': kindOf(name) });
    const details = node(
      'details',
      { class: 'designer__file-row', 'data-file': name },
      node('summary', {}, node('strong', { text: label }), label === name ? null : node('span', { class: 'soft', text: ` ${name}` })),
      node('div', { class: 'designer__file-actions' }, button(words('Download'), () => download(name.split('/').pop(), this.page.book.files[name], 'text/plain'))),
      editor,
    );
    details.addEventListener('toggle', () => details.open && this.mount(name, editor));
    return details;
  }

  /** What people call the file: the title of a form or scenario, else the steps that use it, else its name. */
  label(name) {
    try {
      const content = /\.(form|json)$/.test(name) ? JSON.parse(this.page.book.files[name]) : {};
      const users = content.id ? this.page.book.usersOf(content.id) : [];
      return content.name || content.title || users.join('、') || name;
    } catch {
      // Not readable as JSON: then its name is all there is to say.
      return name;
    }
  }

  async mount(name, place) {
    if (this.open.has(name)) {
      return;
    }
    const text = this.page.book.files[name];
    const mountEditor = editors.get(kindOf(name));
    if (!mountEditor || !this.page.editable) {
      place.replaceChildren(node('pre', { class: 'designer__text', tabindex: '0', text }));
      return;
    }
    const { book, language, editable } = this.page;
    const onChange = (next) => {
      if (next !== undefined) {
        book.files[name] = next;
      }
      this.page.onChange(name);
    };
    this.open.set(name, await mountEditor(place, { name, text, onChange, book, language, editable }));
  }

  /** Texts of the open editors into the book. */
  async collect() {
    for (const [name, editor] of this.open) {
      this.page.book.files[name] = await editor.text();
    }
  }

  /** The files were replaced from outside: open editors show the new text. */
  async reset() {
    for (const [, editor] of this.open) {
      editor.destroy();
    }
    this.open.clear();
    document.querySelectorAll('[data-file]').forEach((each) => each.remove());
    this.draw();
  }
}
