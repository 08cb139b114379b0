/** The preview of a procedure sheet: the form to begin with, drawn as the start page draws it, read-only and filled with the sample. */
import { showForm } from './lib/forms.js';

const section = document.querySelector('[data-sheet-form]');
let shown = null;
let form = null;

/** The rest of the preview is exchanged after every change of a field; the form is drawn anew only when it is another one. */
async function draw() {
  const text = document.getElementById('sheet-form-sample')?.textContent ?? '';
  if (text === shown) {
    return;
  }
  shown = text;
  form?.destroy();
  form = null;
  section.hidden = !text;
  if (!text) {
    return;
  }
  const place = section.querySelector('[data-sheet-form-place]');
  place.replaceChildren();
  try {
    const { schema, data } = JSON.parse(text);
    const drawing = await showForm(place, { schema, data, readonly: true });
    if (shown === text) {
      form = drawing;
    } else {
      drawing.destroy();
    }
  } catch (error) {
    // A form in the middle of being changed may not be drawable; the findings of the draft say what is wrong with it.
    console.info('preview of the form', error);
    section.hidden = true;
  }
  document.documentElement.dataset.sheetPreview = section.hidden ? 'none' : 'drawn';
}

if (section) {
  draw();
  document.body.addEventListener('htmx:afterSwap', (event) => {
    if (event.detail.target?.id === 'sheet-preview') {
      draw();
    }
  });
}
