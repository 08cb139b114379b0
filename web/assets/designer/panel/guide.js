/** At the end of each of our groups: the chapter of the guide that explains it. The page knows where the guide is. */
import { h } from '@bpmn-io/properties-panel/preact';

import { guide } from '../../lib/guide.js';
import { words } from '../words.js';
import { viewEntry } from './entries.js';

/** Group → anchor of docs/designer-guide.md. */
const CHAPTERS = { formId: 'forms', decisionId: 'decisions', processId: 'calls', assignment: 'who', signing: 'signing', limit: 'limits', clocks: 'clocks', case: 'case', history: 'history' };

export function guideEntry(group) {
  if (!guide() || !CHAPTERS[group]) {
    return null;
  }
  return viewEntry({
    id: `banjie-guide-${group}`,
    view: () => h('div', { class: 'bio-properties-panel-entry' }, h('a', { href: guide(CHAPTERS[group]), target: '_blank', rel: 'noopener' }, words('In the guide'))),
  });
}
