/**
 * A case's diagram: where it is, where it was, where it came back from. Each `[data-diagram]` names the id of its JSON;
 * the contract is in README.md. The bpmn.io mark in the corner stays as it is and uncovered (licence).
 */
import NavigatedViewer from 'bpmn-js/lib/NavigatedViewer.js';

import { pageData } from './lib/http.js';
import { toast } from './lib/toasts.js';
import { translateModule, words } from './lib/words.js';

/** Later ones win where an element is in several lists: what is current matters more than that it was done before. */
const markers = { done: 'is-done', returned: 'is-returned', current: 'is-current' };

/** Below this zoom the names of the steps cannot be read. */
const READABLE = 0.6;

async function draw(place) {
  const about = pageData(place.dataset.diagram);
  const response = await fetch(about.url, { credentials: 'same-origin' });
  if (!response.ok) {
    throw new Error(`${about.url}: HTTP ${response.status}`);
  }
  const viewer = new NavigatedViewer({ container: place, additionalModules: [translateModule] });
  await viewer.importXML(await response.text());
  const canvas = viewer.get('canvas');
  const known = viewer.get('elementRegistry');
  const overlays = viewer.get('overlays');
  fit(place, canvas);

  if (markAll(about, known, canvas)) {
    place.classList.add('diagram--running');
  }
  for (const [id, count] of Object.entries(about.counts ?? {})) {
    if (known.get(id) && count > 1) {
      overlays.add(id, { position: { top: -12, right: 14 }, html: badge('diagram__count', `×${count}`, words('{count} times', { count })) });
    }
  }
  for (const [id, count] of Object.entries(about.tokens ?? {})) {
    if (known.get(id)) {
      overlays.add(id, { position: { bottom: 9, left: -9 }, html: badge('diagram__tokens', String(count), words('{count} tokens', { count })) });
    }
  }
  for (const [id, count] of Object.entries(about.incidents ?? {})) {
    if (known.get(id)) {
      canvas.addMarker(id, 'is-incident');
      overlays.add(id, { position: { top: -9, left: -9 }, html: badge('diagram__incident', `! ${count}`, words('{count} incidents', { count })) });
    }
  }
  for (const [id, { text, level }] of Object.entries(about.heat ?? {})) {
    if (known.get(id)) {
      canvas.addMarker(id, `heat-${level}`);
      // The numbers are what the map is for: they stay readable when the whole of a wide procedure is shown.
      overlays.add(id, { position: { bottom: 10, left: 0 }, scale: { min: 0.85 }, html: badge(`diagram__heat diagram__heat--${level}`, text, text) });
    }
  }
  showCurrent(about, known, canvas);
  watchTrail(place, viewer);
  watchZoom(place, canvas);
  place.removeAttribute('aria-busy');
  place.dataset.drawn = 'yes';
}

/** The whole of a wide procedure is too small to read: then the drawing opens on the step the case stands on. */
function showCurrent(about, known, canvas) {
  const step = (about.current ?? []).map((id) => known.get(id)).find(Boolean);
  if (!step || canvas.zoom() >= READABLE) {
    return;
  }
  const { width, height } = canvas.viewbox().outer;
  canvas.viewbox({
    x: step.x + step.width / 2 - width / READABLE / 2,
    y: step.y + step.height / 2 - height / READABLE / 2,
    width: width / READABLE,
    height: height / READABLE,
  });
}

function badge(className, text, title) {
  return Object.assign(document.createElement('span'), { className, textContent: text, title });
}

/** Returns whether the diagram shows a case at all; a mere procedure has no lists and stays plain. */
function markAll(about, known, canvas) {
  const lists = Object.keys(markers).filter((list) => Array.isArray(about[list]));
  const seen = new Set();
  for (const list of lists) {
    for (const id of about[list].filter((each) => known.get(each))) {
      Object.values(markers).forEach((marker) => canvas.removeMarker(id, marker));
      canvas.addMarker(id, markers[list]);
      seen.add(id);
    }
  }
  if (lists.length) {
    known
      .filter((element) => element.type !== 'label' && element.parent && !seen.has(element.id) && !/Participant|Lane|Collaboration|TextAnnotation|Group/.test(element.type))
      .forEach((element) => canvas.addMarker(element.id, 'is-unreached'));
  }
  return lists.length > 0;
}

/** A click in the drawing shows the line of the trail, a click on the line shows the place in the drawing. */
function watchTrail(place, viewer) {
  const canvas = viewer.get('canvas');
  const known = viewer.get('elementRegistry');
  const lines = (id) => [...document.querySelectorAll('[data-element-id]')].filter(
    (line) => line.dataset.elementId === id && !place.contains(line),
  );
  let picked = null;

  const pick = (id, from) => {
    if (picked && known.get(picked)) {
      canvas.removeMarker(picked, 'is-picked');
    }
    document.querySelectorAll('[data-element-id].is-picked').forEach((line) => line.classList.remove('is-picked'));
    picked = id;
    const found = lines(id);
    found.forEach((line) => line.classList.add('is-picked'));
    if (known.get(id)) {
      canvas.addMarker(id, 'is-picked');
    }
    if (from === 'drawing') {
      // Where elements are chosen by ticking, the drawing ticks them too.
      found[0]?.querySelector('[data-diagram-tick]')?.click();
      found[0]?.scrollIntoView({ block: 'nearest' });
    } else if (known.get(id)) {
      canvas.scrollToElement(id, 40);
    }
  };

  viewer.get('eventBus').on('element.click', ({ element }) => pick(element.labelTarget?.id ?? element.id, 'drawing'));
  document.addEventListener('click', (event) => {
    const line = event.target.closest?.('[data-element-id]');
    if (line && !place.contains(line)) {
      pick(line.dataset.elementId, 'trail');
    }
  });
  document.addEventListener('keydown', (event) => {
    // A line that takes the focus is picked by the keyboard too; what stands inside it keeps its own keys.
    if (event.key === 'Enter' && event.target.matches?.('[data-element-id][tabindex]') && !place.contains(event.target)) {
      pick(event.target.dataset.elementId, 'trail');
    }
  });
}

/** The whole drawing; behind a tab that was left meanwhile there is no size to fit it into. */
function fit(place, canvas) {
  if (place.clientWidth && place.clientHeight) {
    canvas.zoom('fit-viewport', 'auto');
  }
}

function watchZoom(place, canvas) {
  const actions = {
    in: () => canvas.zoom(canvas.zoom() * 1.2),
    out: () => canvas.zoom(canvas.zoom() / 1.2),
    fit: () => fit(place, canvas),
  };
  const frame = place.closest('[data-diagram-frame]');
  frame?.addEventListener('click', (event) => actions[event.target.closest?.('[data-diagram-zoom]')?.dataset.diagramZoom]?.());
}

// A drawing inside a closed tab has no size to fit into, so each is drawn when it first comes into sight.
const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) {
      sight.unobserve(target);
      draw(target).catch((error) => {
        if (/no diagram to display/.test(error.message) && target.dataset.diagramNone) {
          // A model may be executable without ever having been drawn.
          target.classList.add('diagram--none');
          target.replaceChildren(target.dataset.diagramNone);
          target.removeAttribute('aria-busy');
          return;
        }
        console.error(error);
        target.removeAttribute('aria-busy');
        toast(words('The diagram could not be shown.'), { kind: 'error' });
      });
    }
  }
});
document.querySelectorAll('[data-diagram]').forEach((place) => sight.observe(place));
