/**
 * The words of the browser side. Sources speak English; the page's language (`<html lang>`) picks the dictionary.
 * form-js and bpmn-js receive the same function as their `translate` service.
 */
import zh from '../i18n/zh.json';

const dictionaries = { zh };

const language = () => (document.documentElement.lang || 'zh').slice(0, 2);

/** Sentences that had no entry in the page's language; a browser test requires this list to be empty. */
export const missing = new Set();
window.banjieMissingWords = missing;

export function words(sentence, replacements = {}) {
  const dictionary = dictionaries[language()];
  if (dictionary && !(sentence in dictionary)) {
    missing.add(sentence);
  }
  const text = dictionary?.[sentence] ?? sentence;
  return text.replace(/{([^}]+)}/g, (place, name) => replacements[name] ?? place);
}

/** A page with many words of its own (the designer's) brings its dictionary along; the page's words win. */
export function addWords(code, entries) {
  dictionaries[code] = { ...entries, ...dictionaries[code] };
}

export const isChinese = () => language() === 'zh';

/** "09:41" in the office's time zone (`<html data-timezone>`), whatever the zone of the computer in front of the clerk. */
export function clockTime(instant) {
  const timeZone = document.documentElement.dataset.timezone || 'Asia/Shanghai';
  return new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone }).format(instant);
}

export const translateModule = { translate: ['value', words] };
