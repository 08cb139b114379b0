/** New forms and decisions of the draft, their names, and their removal; who names them follows, or is told. */
import { dialog, node, note } from './dom.js';
import { definedIn, renamedDecision, usesOf } from './references.js';
import { words } from './words.js';

/** What the engine and a file system both take; the server says the same of a key. */
const ID = /^[\p{L}_][\p{L}\p{N}_-]{0,79}$/u;

const KINDS = {
  form: { suffix: '.form', title: 'New form', rename: 'Rename the form', first: 'form' },
  decision: { suffix: '.dmn', title: 'New decision', rename: 'Rename the decision', first: 'decision' },
};

const xmlText = (text) => text.replace(/[<>&"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** An empty form, and a table with one input and one output. */
const BEGINNINGS = {
  form: (id, title) => `${JSON.stringify({ schemaVersion: 19, type: 'default', id, name: title, components: [] }, null, 2)}\n`,
  decision: (id, title) => `<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" xmlns:dmndi="https://www.omg.org/spec/DMN/20191111/DMNDI/" xmlns:dc="http://www.omg.org/spec/DMN/20180521/DC/" id="${id}_definitions" name="${xmlText(title)}" namespace="https://banjie.example/decisions" exporter="Banjie" exporterVersion="1">
  <decision id="${id}" name="${xmlText(title)}">
    <variable id="${id}_variable" name="${id}" />
    <decisionTable id="${id}_table" hitPolicy="FIRST">
      <input id="${id}_in1" label="${xmlText(words('Input value'))}"><inputExpression id="${id}_in1_expression" typeRef="string"><text></text></inputExpression></input>
      <output id="${id}_out1" label="${xmlText(words('Result'))}" name="result" typeRef="string" />
      <rule id="${id}_r1"><inputEntry id="${id}_r1_i1"><text></text></inputEntry><outputEntry id="${id}_r1_o1"><text></text></outputEntry></rule>
    </decisionTable>
  </decision>
  <dmndi:DMNDI>
    <dmndi:DMNDiagram id="${id}_diagram"><dmndi:DMNShape id="${id}_shape" dmnElementRef="${id}"><dc:Bounds height="80" width="180" x="160" y="100" /></dmndi:DMNShape></dmndi:DMNDiagram>
  </dmndi:DMNDI>
</definitions>
`,
};

export class Managing {
  /**
   * @param {{book: object, files: import('./files.js').Files, collect: () => Promise<void>, rename: (names: string[], kind: string, id: string, next: string) => Promise<void>}} page
   *   `rename` changes what drawings name, the open one included
   */
  constructor(page) {
    const { rename, ...rest } = page;
    Object.assign(this, rest, { renameIn: rename });
  }

  get names() {
    return Object.keys(this.book.files);
  }

  /** Ids that the draft or the office has already. */
  taken(kind) {
    return new Set(this.book.list(kind === 'form' ? 'forms' : 'decisions').map((each) => each.id));
  }

  free(kind, base) {
    const taken = this.taken(kind);
    const isFree = (id) => !taken.has(id) && !this.names.includes(`${id}${KINDS[kind].suffix}`);
    return [base, ...Array.from({ length: 99 }, (_, index) => `${base}_${index + 2}`)].find(isFree);
  }

  /** Asks for title and id. Resolves to `{title, id}` or null. */
  async ask(kind, heading, { title, id, own = null, withTitle = true }) {
    const taken = this.taken(kind);
    const titleField = node('input', { class: 'form-control', type: 'text', id: 'managing-title', value: title, maxlength: '120', required: true });
    const idField = node('input', { class: 'form-control', type: 'text', id: 'managing-id', value: id, maxlength: '80', required: true, spellcheck: 'false' });
    const check = () => {
      const text = idField.value.trim();
      const clash = text !== own && (taken.has(text) || this.names.includes(`${text}${KINDS[kind].suffix}`));
      idField.setCustomValidity(!ID.test(text) ? words('Letters, digits, underscores and hyphens; the first is a letter.') : clash ? words('This name is taken already.') : '');
    };
    idField.addEventListener('input', check);
    check();
    const answer = await dialog(
      heading,
      [
        withTitle ? node('div', { class: 'mb-2' }, node('label', { class: 'form-label', for: 'managing-title', text: words('Title') }), titleField) : null,
        node('div', { class: 'mb-2' }, node('label', { class: 'form-label', for: 'managing-id', text: words('Name in files and expressions') }), idField),
      ].filter(Boolean),
      [
        ['', words('Cancel')],
        ['yes', words('OK'), 'btn-primary'],
      ],
    );
    return answer === 'yes' ? { title: titleField.value.trim() || id, id: idField.value.trim() } : null;
  }

  /** Makes a form or decision; resolves to `{id, file}` or null when cancelled. */
  async create(kind, { title = '', base = KINDS[kind].first } = {}) {
    const asked = await this.ask(kind, words(KINDS[kind].title), { title: title || words(KINDS[kind].title), id: this.free(kind, base) });
    if (!asked) {
      return null;
    }
    const file = `${asked.id}${KINDS[kind].suffix}`;
    this.book.files[file] = BEGINNINGS[kind](asked.id, asked.title);
    this.files.added(file);
    return { id: asked.id, file };
  }

  /** Another id, for the one form or a decision of the file (the one that is shown); drawings that name it follow. */
  async rename(file, wanted) {
    await this.collect();
    const defined = definedIn(file, this.book.files[file]);
    const { kind, id } = defined.find((each) => each.id === wanted) ?? defined[0] ?? {};
    if (!id) {
      note('managing', words('{file} cannot be read, so it cannot be renamed. Correct it first.', { file }), { kind: 'error' });
      return;
    }
    const ofForm = kind === 'form';
    const schema = ofForm ? JSON.parse(this.book.files[file]) : null;
    const asked = await this.ask(kind, words(KINDS[kind].rename), { title: schema?.name ?? '', id, own: id, withTitle: ofForm });
    if (!asked || (asked.id === id && asked.title === (schema?.name ?? ''))) {
      return;
    }
    const text = ofForm ? `${JSON.stringify({ ...schema, id: asked.id, name: asked.title }, null, 2)}\n` : renamedDecision(this.book.files[file], id, asked.id);
    // The file carries the name of the form or of its only decision; a file with several keeps its own.
    const target = asked.id !== id && defined.length === 1 ? `${asked.id}${KINDS[kind].suffix}` : file;
    const { used, mentioned } = usesOf(this.book.files, kind, id, file);
    if (asked.id !== id) {
      await this.renameIn(used, kind, id, asked.id);
    }
    this.files.replaced(file, target, text);
    if (asked.id !== id && (used.length || mentioned.length)) {
      const list = [...used.map((name) => words('{file} now names “{id}”.', { file: name, id: asked.id })), ...mentioned.map((name) => words('{file} still mentions “{id}”: look at it.', { file: name, id }))];
      note('managing', words('“{old}” is called “{new}” now.', { old: id, new: asked.id }), { list });
    }
  }

  /** Asks first, and says who would be left without it. */
  async remove(file) {
    await this.collect();
    const found = definedIn(file, this.book.files[file]).map(({ kind, id }) => ({ id, ...usesOf(this.book.files, kind, id, file) }));
    const users = found.flatMap(({ id, used, mentioned }) => [
      ...used.map((name) => words('{file} uses “{id}” and will be reported until it names another.', { file: name, id })),
      ...mentioned.map((name) => words('{file} mentions “{id}”.', { file: name, id })),
    ]);
    const sure = await dialog(
      words('Remove {file} from the draft?', { file }),
      [users.length ? node('ul', {}, ...users.map((text) => node('li', { text }))) : node('p', { text: words('Nothing in this draft uses it. What is published stays as it is.') })],
      [
        ['', words('Cancel')],
        ['yes', words('Remove'), 'btn-danger'],
      ],
    );
    if (sure !== 'yes') {
      return;
    }
    const before = this.book.files[file];
    this.files.removed(file);
    note('managing', words('{file} was removed. It is gone from the draft when you save.', { file }), {
      actions: [
        [words('Take it back'), () => {
          this.book.files[file] = before;
          this.files.added(file);
        }],
      ],
    });
  }
}
