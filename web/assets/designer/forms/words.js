/** The dictionary of the form editor; loaded before the editor, whose code asks for its words while it is loaded. */
import zh from '../../i18n/forms.zh.json';
import { addWords } from '../../lib/words.js';

addWords('zh', zh);
