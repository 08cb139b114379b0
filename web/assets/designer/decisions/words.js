/** The dictionary of the decision editor; loaded before the editor. */
import zh from '../../i18n/decisions.zh.json';
import { addWords } from '../../lib/words.js';

addWords('zh', zh);
