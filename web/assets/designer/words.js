/** The editor's own dictionary joins that of the page; it is large and no other page loads it. */
import zh from '../i18n/designer.zh.json';
import { addWords, clockTime, missing, words } from '../lib/words.js';

addWords('zh', zh);
window.__missingTranslations = missing;

export { clockTime, words };
