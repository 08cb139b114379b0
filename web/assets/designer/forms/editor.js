/**
 * A form of the draft, edited in place: components from the palette, their properties, a preview with the viewer that the task page
 * uses, and the server's findings at the component they are about.
 */
import { FormEditor } from '@bpmn-io/form-js-editor';

import { showForm } from '../../lib/forms.js';
import { toast } from '../../lib/toasts.js';
import { button, node } from '../dom.js';
import { fillWindow } from '../filling.js';
import { FindingsStrip } from '../strip.js';
import { restStyle, useStyle } from '../styles.js';
import { typingModule } from '../typing.js';
import { words } from '../words.js';
import { officePanelModule } from './panel.js';

/** The editor whose preview is open; another one that comes to the front needs the other style sheet. */
let previewing = null;

/** A file that is no form at all has nothing to edit; it is shown as it is, with the reason. */
function readSchema(text) {
  const schema = JSON.parse(text);
  if (!schema || typeof schema !== 'object' || !Array.isArray(schema.components)) {
    throw new SyntaxError(words('it has no list of components.'));
  }
  return schema;
}

export async function mount(place, { name, text, onChange, editable }) {
  let schema;
  try {
    schema = readSchema(text);
  } catch (error) {
    place.replaceChildren(
      node('p', { class: 'designer__unreadable', role: 'alert', text: words('{file} cannot be opened as a form: {reason}', { file: name, reason: error.message }) }),
      node('pre', { class: 'designer__text', tabindex: '0', text }),
    );
    return { text: async () => text, destroy: () => place.replaceChildren() };
  }
  if (!editable) {
    await useStyle('preview');
    const pane = node('div', { class: 'designer__form-page' });
    place.replaceChildren(pane);
    const form = await showForm(pane, { schema, readonly: true });
    return { text: async () => text, destroy: () => form.destroy() };
  }
  await useStyle('form');
  const opened = new FormFile(place, { name, text, onChange });
  await opened.open(schema);
  return opened;
}

class FormFile {
  constructor(place, { name, text, onChange }) {
    Object.assign(this, { place, name, original: text, onChange });
    this.findings = new FindingsStrip((problem) => this.select(problem.elementId));
    this.canvas = node('div', { class: 'designer__form-canvas', 'data-form-canvas': '' });
    this.preview = node('div', { class: 'designer__form-preview', 'data-form-preview': '', hidden: true });
    this.tabs = {
      edit: button(words('Edit'), () => this.show('edit')),
      preview: button(words('Preview'), () => this.show('preview')),
    };
    this.again = button(words('Check what is filled in'), () => this.validate());
    this.again.hidden = true;
    this.undo = button(words('Undo'), () => this.step('undo'));
    this.redo = button(words('Redo'), () => this.step('redo'));
  }

  async open(schema) {
    this.place.replaceChildren(
      node('div', { class: 'designer__file-tools', role: 'toolbar', 'aria-label': words('Form') }, this.tabs.edit, this.tabs.preview, this.undo, this.redo, this.again),
      this.canvas,
      this.preview,
      // Below: what is edited must not move under the pointer when findings come and go.
      this.findings.place,
    );
    this.editor = new FormEditor({ container: this.canvas, additionalModules: [officePanelModule, typingModule] });
    await this.editor.importSchema(schema);
    this.baseline = this.written();
    const bus = this.editor.get('eventBus');
    // A listener must not return a value: it would end the event for everybody after it.
    bus.on('commandStack.changed', () => {
      this.changed();
    });
    bus.on('changed', () => {
      this.markSoon();
    });
    // What is removed by the keyboard and taken back by it: only while the form itself has the focus.
    this.canvas.addEventListener('keydown', (event) => this.key(event));
    this.release = [fillWindow(this.canvas), fillWindow(this.preview)];
    await this.show('edit');
  }

  written() {
    return `${JSON.stringify(this.editor.saveSchema(), null, 2)}\n`;
  }

  /** The text of the file; as long as nothing was changed it is the text that was opened, to the letter. */
  async text() {
    const now = this.written();
    return now === this.baseline ? this.original : now;
  }

  changed() {
    this.showSteps();
    this.onChange();
  }

  step(name) {
    const stack = this.editor.get('commandStack');
    if (name === 'undo' ? stack.canUndo() : stack.canRedo()) {
      stack[name]();
    }
  }

  showSteps() {
    const stack = this.editor.get('commandStack');
    this.undo.disabled = this.mode === 'preview' || !stack.canUndo();
    this.redo.disabled = this.mode === 'preview' || !stack.canRedo();
  }

  key(event) {
    const typing = event.target.matches('input, textarea, select, [contenteditable]');
    const command = (event.ctrlKey || event.metaKey) && !event.altKey;
    const step = command && { z: event.shiftKey ? 'redo' : 'undo', y: 'redo' }[event.key.toLowerCase()];
    if (step && !typing) {
      event.preventDefault();
      this.step(step);
    }
  }

  /** In front of the others: called when the file is opened again as well. */
  async focus() {
    if (previewing && previewing !== this) {
      await previewing.show('edit');
    }
  }

  async show(mode) {
    this.mode = mode;
    for (const [name, tab] of Object.entries(this.tabs)) {
      tab.setAttribute('aria-pressed', String(name === mode));
    }
    if (mode === 'preview') {
      await useStyle('preview');
      restStyle('form');
      previewing = this;
      const pane = node('div', { class: 'designer__form-page' });
      this.preview.replaceChildren(node('p', { class: 'soft', text: words('This is how the step shows the form. What you fill in here is not kept.') }), pane);
      this.form = await showForm(pane, { schema: this.editor.saveSchema() });
    } else {
      restStyle('preview');
      await useStyle('form');
      previewing = previewing === this ? null : previewing;
      this.form?.destroy();
      this.form = null;
      this.preview.replaceChildren();
    }
    this.canvas.hidden = mode === 'preview';
    this.preview.hidden = mode !== 'preview';
    this.again.hidden = mode !== 'preview';
    this.showSteps();
  }

  validate() {
    const errors = this.form.validate();
    toast(Object.keys(errors).length ? words('{count} fields are not filled in as they should be.', { count: Object.keys(errors).length }) : words('Everything is filled in as it should be.'));
  }

  // -- findings ----------------------------------------------------------------------------------------------------------------

  showFindings(problems) {
    this.problems = problems;
    this.findings.draw(problems, (problem) => Boolean(this.field(problem.elementId)));
    this.markSoon();
  }

  /** A finding names a component by its id, or by its key when it has none. */
  field(name) {
    const fields = this.editor.get('formFieldRegistry').getAll();
    return name ? (fields.find((each) => each.id === name) ?? fields.find((each) => each.key === name || each.path === name)) : null;
  }

  select(name) {
    const field = this.field(name);
    if (field) {
      this.show('edit');
      this.editor.get('selection').set(field);
      this.element(field)?.scrollIntoView({ block: 'nearest' });
    }
  }

  element(field) {
    return [...this.canvas.querySelectorAll('.fjs-element[data-id]')].find((each) => each.dataset.id === field.id);
  }

  /** The editor draws a little after each change; the marks are put on what it has drawn. */
  markSoon() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.mark());
  }

  mark() {
    this.canvas.querySelectorAll('[data-problem]').forEach((each) => {
      delete each.dataset.problem;
      each.removeAttribute('title');
    });
    for (const problem of this.problems ?? []) {
      const field = this.field(problem.elementId);
      const element = field && this.element(field);
      if (element) {
        element.dataset.problem = element.dataset.problem === 'error' ? 'error' : problem.severity;
        element.title = [element.title, problem.message].filter(Boolean).join('\n');
      }
    }
  }

  destroy() {
    cancelAnimationFrame(this.frame);
    this.release.forEach((end) => end());
    this.form?.destroy();
    this.editor.destroy();
    this.place.replaceChildren();
    if (previewing === this) {
      previewing = null;
    }
    restStyle('preview');
  }
}
