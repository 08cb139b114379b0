/** Files from outside in place of the drawing: chosen, or dropped on it. */
import { note } from './dom.js';
import { NotReadable, reasonInWords } from './importing.js';
import { textOf } from './interchange.js';
import { renameProcess, strangerTo } from './process_id.js';
import { words } from './words.js';

/** A large drawing keeps the page busy for some seconds: it says so first. */
const paint = () => new Promise((resolve) => setTimeout(resolve, 30));

/** @param {object} page  the page: `editable`, `place`, `drawing`, `saving`, `showState()` */
export function offerBringing(page) {
  const choice = page.place.querySelector('[data-import-file]');
  choice.addEventListener('change', async () => {
    const [file] = choice.files;
    choice.value = '';
    await bringIn(page, file);
  });
  const canvas = page.place.querySelector('[data-canvas]');
  canvas.addEventListener('dragover', (event) => {
    if ([...event.dataTransfer.types].includes('Files')) {
      event.preventDefault();
      canvas.classList.add('is-dropping');
    }
  });
  canvas.addEventListener('dragleave', () => canvas.classList.remove('is-dropping'));
  canvas.addEventListener('drop', async (event) => {
    canvas.classList.remove('is-dropping');
    const [file] = event.dataTransfer.files;
    if (file) {
      event.preventDefault();
      await bringIn(page, file);
    }
  });
  return () => choice.click();
}

async function bringIn(page, file) {
  if (!file || !page.editable) {
    return;
  }
  page.place.setAttribute('aria-busy', 'true');
  page.showState(words('Opening {file} …', { file: file.name }), 'open');
  try {
    const text = await textOf(file);
    await paint();
    const { notes, before } = await page.drawing.bringIn(text);
    const named = nameLikeDraft(page);
    note('imported', words('{file} was imported in place of the drawing. It is kept when you save.', { file: file.name }), {
      list: [...named.notes, ...notes],
      actions: [...named.actions, ...(before ? [[words('Take it back'), () => page.drawing.replace(before)]] : [])],
    });
  } catch (error) {
    if (!(error instanceof NotReadable)) {
      console.info('import', error);
    }
    note('imported', words('{file} was not imported: {reason} The drawing is unchanged.', { file: file.name, reason: error instanceof NotReadable ? error.message : reasonInWords(error) }), { kind: 'error' });
  } finally {
    page.place.removeAttribute('aria-busy');
    page.saving.tell();
  }
}

/** A process that the sheet of the draft does not know by its id is said, and renamed on request: by itself a file stays as it came. */
function nameLikeDraft({ modeler, book, drawing }) {
  const wanted = book.processId;
  const elsewhere = book.named('.bpmn').some((name) => name !== drawing.file && book.files[name].includes(`id="${wanted}"`));
  const process = elsewhere ? null : strangerTo(modeler, wanted);
  if (!process) {
    return { notes: [], actions: [] };
  }
  const { id } = process;
  const rename = () => {
    // Renamed by hand meanwhile: then there is nothing to do.
    if (strangerTo(modeler, wanted) === process) {
      renameProcess(modeler, process, wanted);
    }
    return 'stay';
  };
  return {
    notes: [words('The process of the file is called “{id}”, this draft is about “{wanted}”. It can be published under that name only.', { id, wanted })],
    actions: [[words('Rename “{id}” to “{wanted}”', { id, wanted }), rename, 'btn-primary']],
  };
}
