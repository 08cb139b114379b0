/** The findings about one file, above its editor: the sentence, and a button that goes to the place. */
import { button, node } from './dom.js';
import { words } from './words.js';

export class FindingsStrip {
  /** @param {(problem: object) => void} show */
  constructor(show) {
    this.place = node('ul', { class: 'designer__strip', 'data-file-findings': '', hidden: true });
    this.show = show;
  }

  /** @param {(problem: object) => boolean} has  whether the place of a problem can be shown */
  draw(problems, has) {
    this.place.hidden = !problems.length;
    this.place.replaceChildren(
      ...problems.map((problem) =>
        node(
          'li',
          { class: `designer__finding designer__finding--${problem.severity}`, 'data-rule': problem.rule },
          node('span', { class: 'designer__severity', text: words(problem.severity) }),
          node('span', { class: 'designer__finding-text', text: problem.message }),
          has(problem) ? button(words('Show'), () => this.show(problem), 'btn-link') : null,
        ),
      ),
    );
  }
}
