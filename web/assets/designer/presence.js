/** Who else works on this draft, asked once a minute while the page is looked at; a newer save is told before one's own is refused. */
import { postJson } from '../lib/http.js';
import { node, note } from './dom.js';
import { words } from './words.js';

const EVERY_MILLISECONDS = 60_000;

/** `revision()` is the one on this page. */
export function watchPresence(url, place, revision) {
  if (!url) {
    return;
  }
  let told = 0;
  const ask = async () => {
    if (document.hidden) {
      return;
    }
    let answer;
    try {
      answer = await postJson(url, {}, { headers: { 'Content-Type': 'application/json', 'X-Poll': '1' } });
    } catch {
      return; // Saving says what is wrong; nobody is interrupted for this.
    }
    const others = answer.people.filter((each) => !each.me).map((each) => each.name);
    place.replaceChildren(...(others.length ? [node('span', { text: words('Also here: {names}', { names: others.join('、') }) })] : []));
    if (answer.revision > Math.max(revision(), told)) {
      told = answer.revision;
      note('newer', words('{name} has saved this draft meanwhile. When you save, you can compare and choose.', { name: answer.savedBy }));
    }
  };
  ask();
  setInterval(ask, EVERY_MILLISECONDS);
}
