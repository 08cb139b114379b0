/**
 * The editors hand on what is typed when the keys rest for a moment, so that a word is one step to undo and not one for each letter.
 * Each of the three kinds waits in a way of its own, and some of them even when the field is left. Here they wait in one place, so that
 * whoever fetches the texts gets what stands on the page.
 */
const REST_MILLISECONDS = 300;
const waiting = new Set();

/** `act`, called once the calls rest, with what the last one said; `flush()` calls it now, `cancel()` forgets it. */
export function whenTypingRests(act) {
  let said = null;
  let timer = 0;
  const cancel = () => {
    clearTimeout(timer);
    said = null;
    waiting.delete(flush);
  };
  const flush = () => {
    if (said) {
      const last = said;
      cancel();
      act(...last);
    }
  };
  const called = (...what) => {
    clearTimeout(timer);
    said = what;
    waiting.add(flush);
    timer = setTimeout(flush, REST_MILLISECONDS);
  };
  return Object.assign(called, { cancel, flush });
}

/** Everything that was typed is handed on now. */
export const handOnTyping = () => [...waiting].forEach((flush) => flush());

/** For the drawing tool and the decision editor, which ask for `debounceInput`, and the form editor, which asks for `debounce`. */
export const typingModule = { debounceInput: ['value', whenTypingRests], debounce: ['value', whenTypingRests] };

// A field that is left has been written: nothing that follows may meet it half-way.
document.addEventListener('focusout', handOnTyping);
