/** Who else works on this draft, asked once a minute while the page is looked at; a newer save is told before one's own is refused. */
import { postJson } from '../lib/http.js';
import { node, note } from './dom.js';
import { closed } from './rescue.js';
import { words } from './words.js';

const EVERY_MILLISECONDS = 60_000;

/** @param {{urls: object, draft: {state: string}}} data @param {HTMLElement} place  for the names @param {import('./saving.js').Saving} saving */
export function watchPresence({ urls, draft }, place, saving) {
  if (!urls.here) {
    return;
  }
  let told = 0;
  let { state } = draft;
  const ask = async () => {
    if (document.hidden) {
      return;
    }
    let answer;
    const saves = saving.busy;
    try {
      answer = await postJson(urls.here, {}, { headers: { 'Content-Type': 'application/json', 'X-Poll': '1' } });
    } catch {
      return; // Saving says what is wrong; nobody is interrupted for this.
    }
    const others = answer.people.filter((each) => !each.me).map((each) => each.name);
    place.replaceChildren(...(others.length ? [node('span', { text: words('Also here: {names}', { names: others.join('、') }) })] : []));
    if (answer.state !== state) {
      ({ state } = answer);
      if (state !== 'OPEN') {
        closed(words('This draft was submitted, published or put away meanwhile: it takes no changes now.'), urls.draft);
      }
    }
    // While a save of this page is under way the server may already count it, and the page not yet.
    if (!saves && !saving.busy && answer.revision > Math.max(saving.revision, told)) {
      told = answer.revision;
      note('newer', words('{name} has saved this draft meanwhile. When you save, both come together; of a file that both changed you choose one.', { name: answer.savedBy }));
    }
  };
  ask();
  setInterval(ask, EVERY_MILLISECONDS);
  // Who comes back to the page after an hour hears it at once.
  document.addEventListener('visibilitychange', ask);
}
