/** The draft's scenarios: open one, play one or all, see the first difference, put one away. */
import { button, node } from '../designer/dom.js';
import { ask } from '../lib/dialogs.js';
import { toast } from '../lib/toasts.js';
import { words } from '../lib/words.js';

export class ScenarioList {
  constructor({ page, place, run, load, busy, request, covered }) {
    Object.assign(this, { page, place, run, load, busy, request, covered });
    this.results = new Map();
  }

  show() {
    const { scenarios, draft } = this.page;
    if (!scenarios.length) {
      this.place.replaceChildren(node('p', { class: 'soft', text: words('No scenario yet. Try the procedure from its start to its end, then keep the run.') }));
      return;
    }
    const failed = [...this.results.values()].filter((each) => !each.ok).length;
    const summary = this.results.size ? words('{passed} passed, {failed} failed', { passed: this.results.size - failed, failed }) : '';
    const rows = scenarios.map((each) => this.row(each, draft.editable));
    this.place.replaceChildren(
      node('div', { class: 'trying__buttons mb-2' }, button(words('Run all'), () => this.play(null), 'btn-primary'), node('span', { role: 'status', class: 'align-self-center', 'data-try-summary': '', text: summary })),
      node('table', { class: 'work' }, node('tbody', {}, ...rows)),
    );
    document.getElementById('tab-kept').textContent = words('Scenarios ({count})', { count: scenarios.length });
  }

  row(each, editable) {
    const result = this.results.get(each.name);
    const light = result && node('span', { class: `light light--${result.ok ? 'green' : 'red'}`, text: words(result.ok ? 'passed' : 'failed') });
    const why = each.problem || (result && !result.ok ? result.problems[0] : '');
    return node(
      'tr',
      { 'data-scenario': each.name },
      node('td', {}, node('div', { text: each.title }), node('div', { class: 'soft', text: `${each.name} · ${words('{count} steps', { count: each.steps })}${result ? ` · ${result.seconds} s` : ''}` }), why ? node('div', { class: 'text-danger', text: why }) : null),
      node('td', {}, light ?? ''),
      node(
        'td',
        { class: 'text-nowrap' },
        each.problem ? null : button(words('Open'), () => this.load({ ...JSON.parse(each.text), name: each.name })),
        ' ',
        each.problem ? null : button(words('Run'), () => this.play([each.name])),
        ' ',
        editable ? button(words('Delete'), () => this.remove(each)) : null,
      ),
    );
  }

  async play(names) {
    this.place.querySelector('[data-try-summary]').textContent = words('Playing …');
    const answer = await this.busy(() => this.request(this.page.urls.all, { names }));
    if (!answer) {
      this.show();
      return;
    }
    answer.results.forEach((each) => this.results.set(each.name, each));
    this.show();
    this.covered(answer.coverage);
  }

  kept(name, text, revision) {
    const scenario = JSON.parse(text);
    const entry = { name, file: `scenarios/${name}.json`, title: scenario.title, steps: scenario.steps.length, text, problem: '' };
    this.page.draft.revision = revision;
    this.page.scenarios = [...this.page.scenarios.filter((each) => each.name !== name), entry].sort((a, b) => (a.name < b.name ? -1 : 1));
    this.results.delete(name);
    this.show();
  }

  async remove(each) {
    if (!(await ask(words('Delete the scenario “{title}”? The draft keeps it in its history.', { title: each.title }), { label: words('Delete'), danger: true }))) {
      return;
    }
    const saved = await this.busy(() => this.request(this.page.urls.save, { revision: this.page.draft.revision, files: { [each.file]: null }, note: '' }, { method: 'PUT' }));
    if (saved) {
      this.page.draft.revision = saved.revision;
      this.page.scenarios = this.page.scenarios.filter((other) => other.name !== each.name);
      this.results.delete(each.name);
      this.show();
      toast(words('Deleted: {title}', { title: each.title }), { kind: 'success' });
    }
  }
}
