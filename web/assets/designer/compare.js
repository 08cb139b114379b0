/** What differs between two versions of a process, in words and on the drawing; of other files, which lines. */
import { differenceText, modelDifferences } from '../lib/model_diff.js';
import { dialog, node } from './dom.js';
import { words } from './words.js';

/** See {@link modelDifferences}; throws when one of the texts cannot be read. */
export async function differences(moddle, before, after) {
  const [old, fresh] = await Promise.all([before, after].map(async (text) => (await moddle.fromXML(text)).rootElement));
  return modelDifferences(old, fresh);
}

/** Marks them on the canvas of `modeler` until the next change. */
export function mark(modeler, list) {
  const canvas = modeler.get('canvas');
  const registry = modeler.get('elementRegistry');
  const marked = list.filter(({ id, kind }) => kind !== 'removed' && registry.get(id)).map(({ id, kind }) => [id, `differs-${kind}`]);
  marked.forEach(([id, marker]) => canvas.addMarker(id, marker));
  const clear = () => {
    marked.forEach(([id, marker]) => registry.get(id) && canvas.removeMarker(id, marker));
  };
  modeler.get('eventBus').once('commandStack.changed', clear);
  return clear;
}

/** Lines of text that only one side has, with a few for a look; long texts are cut. */
export function textDifferences(before, after, limit = 200) {
  const counted = (text) => text.split('\n').reduce((sum, line) => sum.set(line, (sum.get(line) ?? 0) + 1), new Map());
  const [old, fresh] = [counted(before ?? ''), counted(after ?? '')];
  const only = (one, other) => [...one].filter(([line, times]) => line.trim() && times > (other.get(line) ?? 0)).map(([line]) => line.trim());
  return { removed: only(old, fresh).slice(0, limit), added: only(fresh, old).slice(0, limit) };
}

/**
 * Shows the comparison of two sets of files in a dialog. `titles`: how the two sides are called. Resolves to the answer.
 */
export async function showComparison(modeler, before, after, titles, buttons = [['', words('Close')]]) {
  const content = [node('p', { class: 'soft', text: words('{before} compared with {after}', { before: titles[0], after: titles[1] }) })];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => before[name] !== after[name]);
  for (const name of names) {
    content.push(node('h3', { class: 'designer__compare-file', text: name }));
    content.push(await comparison(modeler, name, before[name], after[name]));
  }
  if (!names.length) {
    content.push(node('p', { text: words('Nothing differs.') }));
  }
  return dialog(words('Comparison'), [node('div', { class: 'designer__compare' }, ...content)], buttons);
}

async function comparison(modeler, name, before, after) {
  if (before === undefined || after === undefined) {
    return node('p', { text: before === undefined ? words('Added') : words('Removed') });
  }
  if (name.toLowerCase().endsWith('.bpmn')) {
    try {
      const list = await differences(modeler.get('moddle'), before, after);
      if (list.length) {
        mark(modeler, list);
      }
      return list.length
        ? node('ul', {}, ...list.map((each) => node('li', { class: `is-${each.kind}`, text: differenceText(each) })))
        : node('p', { text: words('Only the layout of the file differs, not what it says.') });
    } catch (error) {
      console.warn('not comparable as a process', name, error);
    }
  }
  const { removed, added } = textDifferences(before, after);
  return node('ul', { class: 'designer__compare-lines' }, ...removed.map((line) => node('li', { class: 'is-removed', text: `− ${line}` })), ...added.map((line) => node('li', { class: 'is-added', text: `+ ${line}` })));
}
