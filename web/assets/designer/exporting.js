/** The drawing as a file: BPMN, SVG, PNG. */
import { download } from './dom.js';

/** Twice the size, so that it stays sharp on paper. */
const SCALE = 2;
/** Canvases beyond this many pixels on a side come out empty in browsers. */
const MOST_PIXELS = 16000;

export const exporters = {
  'export-bpmn': async (modeler, name) => download(name, (await modeler.saveXML({ format: true })).xml, 'application/xml'),
  'export-svg': async (modeler, name) => download(name.replace(/\.bpmn$/, '.svg'), (await modeler.saveSVG()).svg, 'image/svg+xml'),
  'export-png': async (modeler, name) => download(name.replace(/\.bpmn$/, '.png'), await png((await modeler.saveSVG()).svg)),
};

async function png(svg) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const scale = Math.min(SCALE, MOST_PIXELS / Math.max(image.width, image.height));
  const canvas = document.createElement('canvas');
  canvas.width = image.width * scale;
  canvas.height = image.height * scale;
  const pen = canvas.getContext('2d');
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}
