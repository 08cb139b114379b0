/** The draft's scenarios: open one, play one or all, see the first difference, put one away. */
import { button, node } from '../designer/dom.js';
import { ask } from '../lib/dialogs.js';
import { getJson } from '../lib/http.js';
import { toast } from '../lib/toasts.js';
import { words } from '../lib/words.js';

/** How often the page asks how far a run is, in milliseconds. */
const LOOK = 1000;

export class ScenarioList {
  constructor({ page, place, run, load, busy, request, covered }) {
    Object.assign(this, { page, place, run, load, busy, request, covered });
    this.results = new Map();
    /** The run of all scenarios that the server plays; it goes on when this page is closed. */
    this.going = null;
  }

  /** With what is known already: the run that is under way, or the last one that still holds. */
  begin() {
    const { played } = this.page;
    this.show();
    if (played) {
      this.watch(played);
    }
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
      node('div', { class: 'trying__buttons mb-2' },
        this.going ? button(words('Cancel'), () => this.cancel()) : button(words('Run all'), () => this.all(), 'btn-primary'),
        node('span', { role: 'status', class: 'align-self-center', 'data-try-summary': '', text: this.going ? this.progress() : summary })),
      this.going ? node('progress', { class: 'trying__progress', max: String(this.going.total || 1), value: String(this.going.done), 'aria-label': words('Progress') }) : '',
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
        each.problem ? null : button(words('Run'), () => this.play(each.name)),
        ' ',
        editable ? button(words('Delete'), () => this.remove(each)) : null,
      ),
    );
  }

  progress() {
    const { present, done, total } = this.going;
    return present ? words('{done} of {total}, now: {title}', { done, total, title: present }) : words('{done} of {total}, waiting', { done, total });
  }

  /** Play one here and now. */
  async play(name) {
    const answer = await this.busy(() => this.request(this.page.urls.all, { name }));
    if (answer) {
      answer.results.forEach((each) => this.results.set(each.name, each));
      this.show();
      this.covered(answer.coverage);
    }
  }

  /** Ask for a run of all, and watch it. */
  async all() {
    const run = await this.busy(() => this.request(this.page.urls.all, {}));
    if (run) {
      this.results.clear();
      this.watch(run);
    }
  }

  async cancel() {
    const run = this.going && (await this.busy(() => this.request(this.going.urls.cancel, {})));
    if (run) {
      this.watch(run);
    }
  }

  /** Show how far `run` is, and look again while it is open. */
  watch(run) {
    clearTimeout(this.timer);
    const was = this.going;
    this.going = run.open ? run : null;
    run.results.forEach((each) => this.results.set(each.name, each));
    this.show();
    if (run.open) {
      this.timer = setTimeout(() => this.look(run), LOOK);
      return;
    }
    if (run.state === 'DONE') {
      this.covered(run.coverage);
    } else if (was) {
      toast(words('The run of the scenarios ended early: {state}', { state: run.word }), { kind: 'warning' });
    }
  }

  async look(run) {
    try {
      this.watch(await getJson(run.urls.state));
    } catch (error) {
      if (error.status === 0 || error.status >= 500) {
        // The run goes on; what the server cannot say now it says later.
        this.timer = setTimeout(() => this.look(run), 5 * LOOK);
        return;
      }
      this.going = null;
      this.show();
      toast(error.body?.message ?? words('Your session has ended. Sign in again, then reload the page.'), { kind: 'warning' });
    }
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
