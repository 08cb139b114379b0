/**
 * Two drawings of one process side by side. Each `[data-design-diff]` names the id of its JSON `{old, new}`; what was added, removed,
 * changed or moved is marked in the drawings and listed below them; a line of the list shows its element.
 */
import { diff } from 'bpmn-js-differ';
import NavigatedViewer from 'bpmn-js/lib/NavigatedViewer.js';

import dictionary from './i18n/differ.zh.json';
import { pageData } from './lib/http.js';
import { addWords, translateModule, words } from './lib/words.js';

addWords('zh', dictionary);

/** Key of the differ, name of the kind, its word, and the sides on which it is marked. */
const KINDS = [
  ['_added', 'added', 'Added', ['new']],
  ['_removed', 'removed', 'Removed', ['old']],
  ['_changed', 'changed', 'Changed', ['old', 'new']],
  ['_layoutChanged', 'moved', 'Moved', ['old', 'new']],
];

async function drawn(place, xml) {
  if (!xml) {
    place.textContent = words('There is no drawing.');
    return null;
  }
  const viewer = new NavigatedViewer({ container: place, additionalModules: [translateModule] });
  try {
    await viewer.importXML(xml);
  } catch (error) {
    console.warn('cannot be drawn', error);
    viewer.destroy();
    place.textContent = words('This file cannot be drawn.');
    return null;
  }
  viewer.get('canvas').zoom('fit-viewport', 'auto');
  place.dataset.drawn = 'yes';
  return viewer;
}

function found(old, fresh) {
  const result = diff(old.getDefinitions(), fresh.getDefinitions());
  return KINDS.flatMap(([key, kind, label, sides]) =>
    Object.entries(result[key] ?? {}).map(([id, about]) => {
      const element = about.model ?? about;
      return { id, kind, label: words(label), sides, name: element?.name || id };
    }),
  );
}

function show(viewers, id) {
  for (const viewer of Object.values(viewers)) {
    const element = viewer?.get('elementRegistry').get(id);
    if (element) {
      viewer.get('canvas').scrollToElement(element);
      viewer.get('selection').select(element);
    }
  }
}

async function compare(section) {
  const { old, new: fresh } = pageData(section.dataset.designDiff);
  const viewers = {
    old: await drawn(section.querySelector('[data-design-diff-old]'), old),
    new: await drawn(section.querySelector('[data-design-diff-new]'), fresh),
  };
  const list = section.querySelector('[data-design-diff-list]');
  if (!viewers.old || !viewers.new) {
    return;
  }
  const changes = found(viewers.old, viewers.new);
  for (const { id, kind, sides } of changes) {
    for (const side of sides) {
      if (viewers[side].get('elementRegistry').get(id)) {
        viewers[side].get('canvas').addMarker(id, `differs-${kind}`);
      }
    }
  }
  list.replaceChildren(
    ...changes.map(({ id, kind, label, name }) => {
      const button = Object.assign(document.createElement('button'), { type: 'button', textContent: `${label}：${name}`, className: `diff__item is-${kind}` });
      button.addEventListener('click', () => show(viewers, id));
      const line = document.createElement('li');
      line.append(button);
      return line;
    }),
  );
  if (!changes.length) {
    list.append(Object.assign(document.createElement('li'), { textContent: words('Only the layout of the file differs, not what it says.') }));
  }
}

for (const section of document.querySelectorAll('[data-design-diff]')) {
  compare(section).catch((error) => console.error(error));
}
