/** At the end of each of our groups: the chapter of the guide that explains it. The page knows where the guide is. */
import { h } from '@bpmn-io/properties-panel/preact';

import { words } from '../words.js';

/** Group → anchor of docs/designer-guide.md. */
const CHAPTERS = { formId: 'forms', decisionId: 'decisions', processId: 'calls', assignment: 'who', signing: 'signing', limit: 'limits', clocks: 'clocks', case: 'case', history: 'history' };

export function guideEntry(group) {
  const guide = document.querySelector('[data-help]')?.getAttribute('href');
  if (!guide || !CHAPTERS[group]) {
    return null;
  }
  return {
    id: `banjie-guide-${group}`,
    component: () => h('div', { class: 'bio-properties-panel-entry' }, h('a', { href: `${guide}#${CHAPTERS[group]}`, target: '_blank', rel: 'noopener' }, words('In the guide'))),
  };
}
