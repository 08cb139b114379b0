/** The room of the editor: its height by what stands above, the width of the properties by mouse or arrow keys (kept in this browser). */
const SLOT = 'banjie.designer.side';
const LEAST = 240;
const MOST = 640;

/** The editor fills the window below whatever stands above it (a banner, a flash). */
function watchTop(place, resized) {
  const measure = () => {
    place.style.setProperty('--designer-top', `${Math.round(place.getBoundingClientRect().top + scrollY)}px`);
    resized();
  };
  measure();
  addEventListener('resize', measure);
}

export function watchLayout(place, resized) {
  watchTop(place, resized);
  const handle = place.querySelector('[data-handle]');
  const work = place.querySelector('[data-work]');
  const set = (width) => {
    const fit = Math.min(Math.max(Math.round(width), LEAST), MOST);
    work.style.setProperty('--designer-side', `${fit}px`);
    handle.setAttribute('aria-valuenow', String(fit));
    localStorage.setItem(SLOT, String(fit));
    resized();
  };
  const width = () => place.querySelector('.designer__side').getBoundingClientRect().width;
  const kept = Number(localStorage.getItem(SLOT));
  if (kept) {
    set(kept);
  }
  handle.addEventListener('pointerdown', (event) => {
    const [from, wide] = [event.clientX, width()];
    handle.setPointerCapture(event.pointerId);
    const move = (moved) => set(wide + from - moved.clientX);
    handle.addEventListener('pointermove', move);
    handle.addEventListener('pointerup', () => handle.removeEventListener('pointermove', move), { once: true });
  });
  handle.addEventListener('keydown', (event) => {
    const by = { ArrowLeft: 20, ArrowRight: -20 }[event.key];
    if (by) {
      event.preventDefault();
      set(width() + by);
    }
  });
}
