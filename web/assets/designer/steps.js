/** The way from the drawing to its use, as the buttons above it show: check, try, publish. Each saves first. */
import { toast } from '../lib/toasts.js';
import { note } from './dom.js';
import { words } from './words.js';

export class Steps {
  /** @param {object} page  the page: `place`, `findings`, `files`, `editable`, `save()`, `data.urls` */
  constructor(page) {
    this.page = page;
  }

  /** What the next steps still need, beside their buttons. */
  draw() {
    const { findings, files, place } = this.page;
    const { errors, problems, state } = findings;
    const steps = {
      check: state === 'unknown' || state === 'failed' ? '' : errors ? words('{count} errors', { count: errors }) : problems.length ? words('{count} warnings', { count: problems.length }) : '✓',
      try: words('{count} scenarios', { count: files.names('scenarios').length }),
      publish: errors ? words('not yet') : '',
    };
    for (const [name, text] of Object.entries(steps)) {
      const step = place.querySelector(`[data-step="${name}"]`);
      if (step) {
        step.textContent = text;
        step.dataset.kind = errors && name !== 'try' ? 'bad' : '';
      }
    }
  }

  async check() {
    const { findings } = this.page;
    await findings.check();
    findings.place.scrollIntoView({ block: 'nearest' });
    toast(findings.problems.length ? words('{errors} errors, {warnings} warnings', { errors: findings.errors, warnings: findings.problems.length - findings.errors }) : words('Nothing found: this draft may be published.'));
  }

  async try() {
    if (!this.page.editable || (await this.page.save())) {
      location.assign(this.page.data.urls.tryIt);
    }
  }

  async publish() {
    const { findings } = this.page;
    if (!(await this.page.save())) {
      return;
    }
    if (!(await findings.check())) {
      const reason = findings.state === 'failed' ? findings.reason : words('{count} errors must be corrected first; they are listed below the drawing.', { count: findings.errors });
      note('publish', words('This draft cannot be published yet.'), { kind: 'error', list: [reason] });
      return;
    }
    location.assign(this.page.data.urls.draft);
  }
}
