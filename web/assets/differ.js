/**
 * Two drawings of one process side by side. Each `[data-design-diff]` names the id of its JSON `{old, new}`; what was added, removed,
 * changed or moved is marked in the drawings and listed below them; a line of the list shows its element.
 */
import NavigatedViewer from 'bpmn-js/lib/NavigatedViewer.js';
import zeebe from 'zeebe-bpmn-moddle/resources/zeebe.json';

import { pageData } from './lib/http.js';
import { differenceText, modelDifferences } from './lib/model_diff.js';
import { translateModule, words } from './lib/words.js';

async function drawn(place, xml) {
  if (!xml) {
    place.textContent = words('There is no drawing.');
    return null;
  }
  const viewer = new NavigatedViewer({ container: place, additionalModules: [translateModule], moddleExtensions: { zeebe } });
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
  const changes = modelDifferences(viewers.old.getDefinitions(), viewers.new.getDefinitions());
  for (const { id, kind, sides } of changes) {
    for (const side of sides) {
      if (viewers[side].get('elementRegistry').get(id)) {
        viewers[side].get('canvas').addMarker(id, `differs-${kind}`);
      }
    }
  }
  list.replaceChildren(
    ...changes.map((each) => {
      const { id, kind } = each;
      const button = Object.assign(document.createElement('button'), { type: 'button', textContent: differenceText(each), className: `diff__item is-${kind}` });
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
