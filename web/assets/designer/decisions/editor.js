/**
 * The decisions of a file, edited in place: the drawing of what depends on what, each table, each expression. dmn-js has a view for each
 * of them; the views stand in a row above.
 */
import DmnModeler from 'dmn-js/lib/Modeler.js';

import { translateModule } from '../../lib/words.js';
import { button, node } from '../dom.js';
import { fillWindow } from '../filling.js';
import { FindingsStrip } from '../strip.js';
import { useStyle } from '../styles.js';
import { typingModule } from '../typing.js';
import { words } from '../words.js';

const VIEWS = ['drd', 'decisionTable', 'literalExpression', 'boxedExpression'];
/** More views than this stand in a list instead of a row. */
const MOST_KEYS = 5;
const MARKS = { drd: '⬚', decisionTable: '▦', literalExpression: 'ƒ', boxedExpression: 'ƒ' };

export async function mount(place, { name, text, onChange, wanted }) {
  await useStyle('decision');
  const opened = new DecisionFile(place, { name, text, onChange });
  try {
    await opened.open(wanted);
  } catch (error) {
    opened.modeler.destroy();
    place.replaceChildren(
      node('p', { class: 'designer__unreadable', role: 'alert', text: words('{file} cannot be opened as a decision: {reason}', { file: name, reason: error.message }) }),
      node('pre', { class: 'designer__text', tabindex: '0', text }),
    );
    return { text: async () => text, destroy: () => place.replaceChildren() };
  }
  return opened;
}

class DecisionFile {
  constructor(place, { name, text, onChange }) {
    Object.assign(this, { place, name, original: text, onChange });
    this.findings = new FindingsStrip((problem) => this.select(problem.elementId));
    this.views = node('div', { class: 'designer__file-tools', role: 'toolbar', 'aria-label': words('Decisions of this file') });
    this.canvas = node('div', { class: 'designer__decision-canvas', 'data-decision-canvas': '' });
    // A choice in a list must not take the focus: the form that the list belongs to would close before it is told.
    this.canvas.addEventListener('mousedown', (event) => event.target.closest('.dms-select-options') && event.preventDefault(), true);
    this.edited = false;
    this.undo = button(words('Undo'), () => this.stack?.undo());
    this.redo = button(words('Redo'), () => this.stack?.redo());
  }

  async open(wanted) {
    // The findings stand below: what is edited must not move under the pointer when they come and go.
    this.place.replaceChildren(this.views, this.canvas, this.findings.place);
    const view = { additionalModules: [translateModule, typingModule] };
    this.modeler = new DmnModeler({ container: this.canvas, ...Object.fromEntries(VIEWS.map((each) => [each, view])) });
    this.modeler.on('views.changed', () => {
      this.drawViews();
    });
    this.modeler.on('viewer.created', ({ viewer }) => {
      viewer.on('commandStack.changed', ({ trigger }) => {
        // Each view clears its steps when it is opened; that changes nothing of the file.
        if (trigger !== 'clear') {
          this.touched();
        }
        this.showSteps();
      });
    });
    await this.modeler.importXML(this.original);
    this.opened = true;
    this.release = fillWindow(this.canvas);
    const first = this.viewOf(wanted) ?? this.modeler.getViews().find((each) => each.type === 'decisionTable');
    if (first) {
      await this.show(first);
    }
    this.drawViews();
  }

  viewOf(id) {
    return id ? this.modeler.getViews().find((each) => each.element.id === id) : null;
  }

  drawViews() {
    const active = this.modeler.getActiveView();
    const views = this.modeler.getViews();
    this.views.replaceChildren(...(views.length > MOST_KEYS ? [this.choice(views, active)] : this.keys(views, active)), this.undo, this.redo);
    this.showSteps();
  }

  keys(views, active) {
    return views.map((view) => {
      const key = button(titled(view), () => this.show(view));
      key.setAttribute('aria-pressed', String(view.element === active?.element));
      key.dataset.view = view.element.id;
      return key;
    });
  }

  /** Of many decisions a list to choose from; the overview leads to each of them too. */
  choice(views, active) {
    const options = views.map((view) => node('option', { value: view.element.id, text: titled(view), selected: view.element === active?.element }));
    const list = node('select', { class: 'form-select form-select-sm designer__views', 'aria-label': words('What is shown'), 'data-views': '' }, ...options);
    list.addEventListener('change', () => this.show(this.viewOf(list.value)));
    return list;
  }

  async show(view) {
    await this.modeler.open(view);
    if (view.type === 'drd') {
      const canvas = this.modeler.getActiveViewer().get('canvas');
      if (canvas.zoom('fit-viewport', 'auto') > 1) {
        canvas.zoom(1, 'auto');
      }
    }
  }

  /** The id of the decision in front. */
  shown() {
    const view = this.modeler.getActiveView();
    return view?.type === 'drd' ? undefined : view?.element.id;
  }

  get stack() {
    return this.modeler.getActiveViewer()?.get('commandStack', false);
  }

  showSteps() {
    this.undo.disabled = !this.stack?.canUndo();
    this.redo.disabled = !this.stack?.canRedo();
  }

  /** While a view is being drawn nothing has been changed by anybody. */
  touched() {
    if (this.opened) {
      this.edited = true;
      this.onChange();
    }
  }

  /** The text of the file; as long as nothing was changed it is the text that was opened, to the letter. */
  async text() {
    if (this.edited) {
      const { xml } = await this.modeler.saveXML({ format: true });
      this.edited = false;
      this.original = xml;
    }
    return this.original;
  }

  // -- findings ----------------------------------------------------------------------------------------------------------------

  showFindings(problems) {
    this.findings.draw(problems, (problem) => Boolean(this.owner(problem.elementId)));
  }

  /** The view in which an element of the file is shown: that of its decision, otherwise the overview. */
  owner(id) {
    if (!id) {
      return null;
    }
    const views = this.modeler.getViews();
    const holds = (element, depth = 0) => depth < 6 && element && (element.id === id || childrenOf(element).some((each) => holds(each, depth + 1)));
    return views.find((each) => each.type !== 'drd' && holds(each.element)) ?? views.find((each) => each.type === 'drd');
  }

  async select(id) {
    const view = this.owner(id);
    if (view) {
      await this.show(view);
      this.canvas.querySelectorAll('[data-problem]').forEach((each) => delete each.dataset.problem);
      const cell = [...this.canvas.querySelectorAll('[data-element-id], [data-row-id], [data-col-id]')].find((each) => [each.dataset.elementId, each.dataset.rowId, each.dataset.colId].includes(id));
      if (cell) {
        cell.dataset.problem = 'error';
        cell.scrollIntoView({ block: 'nearest', inline: 'nearest' });
      }
    }
  }

  /** Shows the decision with this id. */
  async focus(id) {
    const view = this.viewOf(id);
    if (view) {
      await this.show(view);
    }
  }

  destroy() {
    this.opened = false;
    this.release?.();
    this.modeler.destroy();
    this.place.replaceChildren();
  }
}

const titled = (view) => `${MARKS[view.type] ?? ''} ${view.type === 'drd' ? words('Overview of the decisions') : view.name || view.id}`;

/** The parts of a decision that findings are about. */
function childrenOf(element) {
  const { decisionLogic, encapsulatedLogic, input, output, rule, inputEntry, outputEntry, inputExpression, variable } = element;
  return [decisionLogic, encapsulatedLogic, inputExpression, variable, ...[input, output, rule, inputEntry, outputEntry].flatMap((each) => each ?? [])].filter(Boolean);
}
