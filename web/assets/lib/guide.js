/** Where the designers' guide is read in this office; the page names it (`<a data-help>`). Empty where there is no guide. */
export function guide(chapter = '') {
  const page = document.querySelector('[data-help]')?.getAttribute('href');
  return page ? page + (chapter && `#${chapter}`) : '';
}
