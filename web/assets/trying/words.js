/** The words of the dry run, beside those of the designer's room. */
import zh from '../i18n/try.zh.json';
import { addWords } from '../lib/words.js';

addWords('zh', zh);
