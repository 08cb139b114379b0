/**
 * Gives an editor the rest of the window below it, so that it scrolls and the page does not. (A `<details>` cannot hand its height on to
 * what is in it.) On a narrow screen the style sheet's height stays.
 */
const NARROW = matchMedia('(max-width: 900px)');
const LEAST = 300;
const MARGIN = 10;

/** @returns {() => void} ends it */
export function fillWindow(element) {
  const panel = element.closest('[role="tabpanel"]');
  let frame = 0;
  const measure = () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => {
      if (element.offsetParent) {
        const { top, bottom } = element.getBoundingClientRect();
        // What stands below it in the same place, the findings, keeps its room.
        const below = element.parentElement.getBoundingClientRect().bottom - bottom;
        const room = panel.getBoundingClientRect().bottom - top - panel.scrollTop - below - MARGIN;
        element.style.height = NARROW.matches ? '' : `${Math.max(LEAST, Math.round(room))}px`;
      }
    });
  };
  // Notes above come and go, the strip of findings grows, the tab is shown and hidden.
  const watch = new ResizeObserver(measure);
  watch.observe(panel);
  watch.observe(element.parentElement);
  addEventListener('resize', measure);
  measure();
  return () => {
    cancelAnimationFrame(frame);
    watch.disconnect();
    removeEventListener('resize', measure);
  };
}
