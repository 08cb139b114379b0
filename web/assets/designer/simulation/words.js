/** The dictionary of the token simulation; loaded before it. */
import zh from '../../i18n/simulation.zh.json';
import { addWords } from '../../lib/words.js';

addWords('zh', zh);
