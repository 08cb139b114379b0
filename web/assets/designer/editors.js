/**
 * The editors of forms and decisions, and the simulation: each is a bundle of its own, fetched when it is first opened. The dictionary
 * comes first, because the packages take their words from it while they are loaded.
 */
import { registerEditor } from './files.js';

registerEditor('form', async (place, file) => {
  await import('./forms/words.js');
  const { mount } = await import('./forms/editor.js');
  return mount(place, file);
});

registerEditor('dmn', async (place, file) => {
  await import('./decisions/words.js');
  const { mount } = await import('./decisions/editor.js');
  return mount(place, file);
});

export async function simulate(place, xml) {
  await import('./simulation/words.js');
  const mode = await import('./simulation/mode.js');
  return mode.simulate(place, xml);
}
