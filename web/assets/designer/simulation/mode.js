/**
 * Token simulation: a second drawing, made of what is drawn now, over the first one. It only moves tokens; nothing of the draft is
 * touched, and what the engine really does is shown by the dry run (“试运行”).
 */
import TokenSimulation from 'bpmn-js-token-simulation/lib/viewer.js';
import NavigatedViewer from 'bpmn-js/lib/NavigatedViewer.js';
import zeebe from 'zeebe-bpmn-moddle/resources/zeebe.json';

import { translateModule } from '../../lib/words.js';
import { node } from '../dom.js';
import { useStyle } from '../styles.js';
import { words } from '../words.js';

const READABLE = 0.8;

/** @returns {Promise<{destroy: () => void}>} */
export async function simulate(place, xml) {
  await useStyle('simulation');
  const canvas = node('div', { class: 'designer__simulation-canvas' });
  place.replaceChildren(
    node('p', { class: 'soft designer__simulation-help', text: words('Press the arrow at a start to send a token on its way; at a gateway choose the way first. Nothing is kept, nobody is told.') }),
    canvas,
  );
  const viewer = new NavigatedViewer({ container: canvas, moddleExtensions: { zeebe }, additionalModules: [translateModule, TokenSimulation] });
  await viewer.importXML(xml);
  showBeginning(viewer);
  viewer.get('toggleMode').toggleMode(true);
  return {
    destroy() {
      viewer.destroy();
      place.replaceChildren();
    },
  };
}

/** Tokens are set off at a start: it is in view, at a size at which its arrow can be pressed. */
function showBeginning(viewer) {
  const canvas = viewer.get('canvas');
  const whole = canvas.zoom('fit-viewport', 'auto');
  const [start] = viewer.get('elementRegistry').filter((each) => each.type === 'bpmn:StartEvent' && !each.labelTarget && each.parent?.type !== 'bpmn:SubProcess');
  if (start && whole < READABLE) {
    const { width, height } = canvas.viewbox().outer;
    canvas.viewbox({ x: start.x - 240 / READABLE, y: start.y - height / READABLE / 2, width: width / READABLE, height: height / READABLE });
  }
}
