/**
 * Our groups in the properties panel. They stand before the standard ones, which stay for everything else; only what the
 * engine does not carry out (listeners) or what our groups ask for better is taken away.
 */
import { Group, ListGroup } from '@bpmn-io/properties-panel';
import { is } from 'bpmn-js/lib/util/ModelUtil.js';

import { words } from '../words.js';
import { assignmentEntries } from './assignment.js';
import { fieldEntries } from './entries.js';
import { guideEntry } from './guide.js';
import { outcomesGroup } from './outcomes.js';
import { carrier, extension, propertiesOf } from './properties.js';
import { openingEntry, REFERENCES, referenceEntry } from './references.js';
import { rightsEntries } from './rights.js';
import { putButtons, signingEntries } from './signing.js';
import { FIELDS, GROUPS } from './table.js';
import { tellingEntries } from './telling.js';

/** After the standard providers, so that their groups are there to be put in order. */
const PRIORITY = 100;

/** Listeners are refused when publishing; the kind of a user task is always the engine's own. */
const HIDDEN = new Set(['Zeebe__ExecutionListeners', 'Zeebe__TaskListeners', 'userTaskImplementation']);
/** The raw form of what our groups show comes last. */
const LAST = ['assignmentDefinition', 'Zeebe__ExtensionProperties'];

const RENAMED = { assignmentDefinition: 'Assignment and dates, as expressions', Zeebe__ExtensionProperties: 'All properties, as written' };

class Provider {
  static $inject = ['propertiesPanel', 'injector', 'config.book', 'variableResolver', 'translate'];

  constructor(panel, injector, book, scope, translate) {
    this.tools = { get: (name) => injector.get(name), book, scope };
    this.translate = translate;
    panel.registerProvider(PRIORITY, this);
  }

  getGroups(element) {
    return (groups) => this.ordered(groups, element);
  }

  ordered(groups, element) {
    const bo = carrier(element);
    if (!bo || element.labelTarget?.type === 'label') {
      return groups;
    }
    const kept = groups.filter((each) => !HIDDEN.has(each.id) && !this.replaced(each.id, bo));
    const own = this.own(element, bo);
    const isLast = (each) => LAST.includes(each.id);
    const result = [...kept.slice(0, 1), ...own, ...kept.slice(1).filter((each) => !isLast(each)), ...kept.slice(1).filter(isLast)];
    result.forEach((each) => this.translated(each));
    return result;
  }

  /** The group of a form with an id is ours; other kinds of forms keep the standard group. */
  replaced(id, bo) {
    const form = id === 'form' && extension(bo, 'zeebe:FormDefinition');
    return id === 'form' && (!form || (form.formId && (form.bindingType ?? 'latest') === 'latest'));
  }

  /** The components fall back to English unless each group hands them the dictionary. */
  translated(group) {
    group.translate = this.translate;
    if (RENAMED[group.id]) {
      group.label = words(RENAMED[group.id]);
    }
  }

  own(element, bo) {
    const group = (id, label, entries, help) => ({ id: `banjie-${id}`, label: words(label), entries: [...entries, guideEntry(id)].filter(Boolean), component: Group, element, tooltip: help && words(help) });
    const found = [];
    for (const reference of REFERENCES.filter((each) => each.on.some((type) => is(bo, type)))) {
      found.push(group(reference.attribute, reference.label, [referenceEntry(reference, element, this.tools), openingEntry(reference, element, this.tools)]));
    }
    if (is(bo, 'bpmn:UserTask')) {
      const rights = rightsEntries(element, this.tools);
      if (rights.length) {
        found.push(group('rights', 'Field rights', rights, 'Which fields of the form this step hides, only shows, or asks for.'));
      }
      found.push(group('assignment', 'Who handles it', assignmentEntries(element, this.tools), 'Chosen from the roles, sections and people of the organisation.'));
      found.push(group('signing', 'Several handlers', signingEntries(element, this.tools), 'Countersign, any one, in turn, by share, ballot, veto.'));
      found.push({
        id: 'banjie-outcomes',
        label: words('Buttons'),
        component: ListGroup,
        element,
        tooltip: words('What the person can decide at this step. Without buttons the step is simply completed.'),
        ...outcomesGroup(element, this.tools, putButtons),
      });
    }
    for (const { id, label, help } of GROUPS) {
      const entries = FIELDS.filter((field) => field.group === id && field.on.some((type) => is(bo, type)))
        .filter((field) => !field.needs || propertiesOf(bo)[field.needs] || propertiesOf(bo)[field.name])
        .flatMap((field) => (field.kind === 'told' ? tellingEntries : fieldEntries)(field, element, this.tools));
      if (entries.length) {
        found.push(group(id, label, entries, help));
      }
    }
    return found;
  }
}

export const panelModule = { __init__: ['banjieProvider'], banjieProvider: ['type', Provider] };
