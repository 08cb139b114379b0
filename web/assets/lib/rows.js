/**
 * Lists of work: selecting rows, the bar for the selected ones, and moving by keyboard.
 *
 *   <div x-data="rows">            the list with its bulk bar
 *     <tr data-row data-href="…">  a row that opens; [data-select] its checkbox, [data-action="claim"] its button
 */
import { announce } from './toasts.js';
import { words } from './words.js';

export function rowsComponent() {
  return {
    count: 0,
    get any() {
      return this.count > 0;
    },
    init() {
      this.onChange = (event) => this.changed(event);
      this.onSwap = () => this.recount();
      this.$root.addEventListener('change', this.onChange);
      // What is swapped may be this list, something in it, or the part of the page that it stands in.
      document.addEventListener('htmx:afterSettle', this.onSwap);
      this.recount();
    },
    destroy() {
      this.$root.removeEventListener('change', this.onChange);
      document.removeEventListener('htmx:afterSettle', this.onSwap);
    },
    boxes() {
      return [...this.$root.querySelectorAll('input[data-select]')];
    },
    changed(event) {
      if (event.target.matches('[data-select-all]')) {
        this.boxes().forEach((box) => (box.checked = event.target.checked));
      }
      if (event.target.matches('[data-select-all], [data-select]')) {
        this.recount();
        announce(words('{count} selected', { count: this.count }));
      }
    },
    clear() {
      this.boxes().forEach((box) => (box.checked = false));
      this.recount();
    },
    recount() {
      const boxes = this.boxes();
      boxes.forEach((box) => box.closest('[data-row]')?.classList.toggle('is-selected', box.checked));
      this.count = boxes.filter((box) => box.checked).length;
      const all = this.$root.querySelector('[data-select-all]');
      if (all) {
        all.checked = boxes.length > 0 && this.count === boxes.length;
        all.indeterminate = this.count > 0 && this.count < boxes.length;
      }
    },
  };
}

const rows = () => [...document.querySelectorAll('[data-row]')].filter((row) => row.offsetParent !== null);

const currentRow = () => document.activeElement?.closest?.('[data-row]') ?? document.querySelector('[data-row].is-current');

function moveTo(row) {
  if (!row) {
    return;
  }
  document.querySelectorAll('[data-row].is-current').forEach((other) => other.classList.remove('is-current'));
  row.classList.add('is-current');
  row.tabIndex = -1;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: 'nearest' });
}

function step(by) {
  const all = rows();
  const at = all.indexOf(currentRow());
  moveTo(at < 0 ? all[0] : all[Math.min(Math.max(at + by, 0), all.length - 1)]);
}

/** The keys of a list; each acts on the current row. */
const rowKeys = {
  j: () => step(1),
  k: () => step(-1),
  c: () => currentRow()?.querySelector('[data-action="claim"]')?.click(),
  x: () => currentRow()?.querySelector('input[data-select]')?.click(),
  Enter: () => openRow(currentRow()),
};

function openRow(row, newTab = false) {
  const url = row?.dataset.href;
  if (!url) {
    return;
  }
  if (newTab) {
    window.open(url, '_blank', 'noopener');
  } else {
    location.assign(url);
  }
}

const interactive = 'a, button, input, select, textarea, label, summary, [contenteditable], [data-no-open]';

export function watchRows() {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector('dialog[open]')) {
      return;
    }
    const target = event.target;
    // A checkbox is no text: after `x` by mouse the letters still move the list.
    const typing = target.matches?.('input:not([type=checkbox]), textarea, select, [contenteditable]');
    if (typing) {
      return;
    }
    if (event.key === '/') {
      const search = document.querySelector('[data-search]');
      if (search) {
        event.preventDefault();
        search.focus();
        search.select?.();
      }
      return;
    }
    if (event.key === 'Enter' && !target.matches?.('[data-row], body')) {
      return;
    }
    if (rowKeys[event.key] && rows().length) {
      event.preventDefault();
      rowKeys[event.key]();
    }
  });
  for (const type of ['click', 'auxclick']) {
    document.addEventListener(type, (event) => {
      const row = event.target.closest?.('[data-row][data-href]');
      const wanted = event.button === 0 || event.button === 1;
      if (!row || !wanted || event.target.closest(interactive) || String(getSelection())) {
        return;
      }
      openRow(row, event.button === 1 || event.ctrlKey || event.metaKey);
    });
  }
}
