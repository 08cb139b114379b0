/**
 * FEEL's own functions for the completion of the editors, in place of the package's English pages: those that the engine has, one sentence
 * each. Our own functions beside them are in `scope.js`. (`build.mjs` puts this file where the editors look for `@camunda/feel-builtins`.)
 */
import { words } from '../lib/words.js';

/** `[name, parameters, what it gives]` */
const FUNCTIONS = [
  ['get value', ['context', 'key'], 'The value under a key of a context; null if there is none'],
  ['get entries', ['context'], 'The entries of a context as a list of {key, value}'],
  ['context', ['entries'], 'A context made from a list of {key, value}'],
  ['context put', ['context', 'key', 'value'], 'The context with one entry added or replaced'],
  ['context merge', ['contexts'], 'Several contexts in one; the later one wins'],
  ['is defined', ['value'], 'Whether the value exists, be it null'],
  ['get or else', ['value', 'default'], 'The value, or the default if it is null'],
  ['is', ['value1', 'value2'], 'Whether both are the same in value and kind'],
  ['not', ['value'], 'True becomes false and false becomes true'],
  ['min', ['list'], 'The smallest of the list'],
  ['max', ['list'], 'The largest of the list'],
  ['sum', ['list'], 'The sum of the numbers'],
  ['mean', ['list'], 'The average of the numbers'],
  ['product', ['list'], 'The product of the numbers'],
  ['median', ['list'], 'The number in the middle'],
  ['stddev', ['list'], 'The standard deviation of the numbers'],
  ['mode', ['list'], 'The most frequent numbers, as a list'],
  ['all', ['list'], 'Whether all are true'],
  ['any', ['list'], 'Whether at least one is true'],
  ['count', ['list'], 'How many items the list has'],
  ['is empty', ['list'], 'Whether the list has no item'],
  ['list contains', ['list', 'element'], 'Whether the list has this item'],
  ['sublist', ['list', 'start position', 'length'], 'A part of the list; the first position is 1, -1 is the last'],
  ['append', ['list', 'item'], 'The list with an item added at its end'],
  ['concatenate', ['list1', 'list2'], 'Several lists one after the other'],
  ['insert before', ['list', 'position', 'item'], 'The list with an item put in before the position'],
  ['remove', ['list', 'position'], 'The list without the item at the position'],
  ['list replace', ['list', 'position', 'item'], 'The list with another item at the position'],
  ['reverse', ['list'], 'The list from its end to its beginning'],
  ['index of', ['list', 'match'], 'The positions of an item, as a list'],
  ['union', ['list1', 'list2'], 'All items of several lists, each once'],
  ['distinct values', ['list'], 'The list with each item once'],
  ['duplicate values', ['list'], 'The items that occur more than once'],
  ['flatten', ['list'], 'Lists within lists laid out as one'],
  ['partition', ['list', 'size'], 'The list in pieces of this size'],
  ['sort', ['list', 'precedes'], 'The list in order; the function says which comes first'],
  ['decimal', ['n', 'scale'], 'The number rounded to so many decimals, half to even'],
  ['floor', ['n'], 'The next whole number below'],
  ['ceiling', ['n'], 'The next whole number above'],
  ['round up', ['n', 'scale'], 'Rounded away from zero'],
  ['round down', ['n', 'scale'], 'Rounded towards zero'],
  ['round half up', ['n', 'scale'], 'Rounded, half away from zero'],
  ['round half down', ['n', 'scale'], 'Rounded, half towards zero'],
  ['abs', ['n'], 'The number without its sign'],
  ['modulo', ['dividend', 'divisor'], 'The rest of a division'],
  ['sqrt', ['number'], 'The square root'],
  ['exp', ['number'], 'e to the power of the number'],
  ['log', ['number'], 'The natural logarithm'],
  ['odd', ['number'], 'Whether the number is odd'],
  ['even', ['number'], 'Whether the number is even'],
  ['number', ['from'], 'The number that a text says'],
  ['before', ['a', 'b'], 'Whether a ends before b begins'],
  ['after', ['a', 'b'], 'Whether a begins after b ends'],
  ['coincides', ['a', 'b'], 'Whether both are the same moment or span'],
  ['finishes', ['a', 'b'], 'Whether a ends together with b'],
  ['during', ['a', 'b'], 'Whether a lies within b'],
  ['starts', ['a', 'b'], 'Whether a begins together with b'],
  ['finished by', ['a', 'b'], 'Whether b ends together with a'],
  ['includes', ['a', 'b'], 'Whether b lies within a'],
  ['started by', ['a', 'b'], 'Whether b begins together with a'],
  ['meets', ['a', 'b'], 'Whether b begins where a ends'],
  ['met by', ['a', 'b'], 'Whether a begins where b ends'],
  ['overlaps', ['a', 'b'], 'Whether both have something in common'],
  ['overlaps before', ['a', 'b'], 'Whether a begins first and reaches into b'],
  ['overlaps after', ['a', 'b'], 'Whether a begins within b and ends later'],
  ['range', ['from'], 'The span that a text says'],
  ['string', ['from'], 'The value as text'],
  ['substring', ['string', 'start position', 'length'], 'A part of a text; the first position is 1'],
  ['string length', ['string'], 'How many characters the text has'],
  ['upper case', ['string'], 'The text in capital letters'],
  ['lower case', ['string'], 'The text in small letters'],
  ['substring before', ['string', 'match'], 'The text before the match'],
  ['substring after', ['string', 'match'], 'The text after the match'],
  ['contains', ['string', 'match'], 'Whether the text contains the match'],
  ['starts with', ['string', 'match'], 'Whether the text begins with the match'],
  ['ends with', ['string', 'match'], 'Whether the text ends with the match'],
  ['string join', ['list', 'delimiter'], 'The texts of a list as one, with a mark between them'],
  ['trim', ['string'], 'The text without spaces at its ends'],
  ['is blank', ['string'], 'Whether the text is empty or only spaces'],
  ['matches', ['input', 'pattern'], 'Whether the text fits the regular expression'],
  ['replace', ['input', 'pattern', 'replacement'], 'The text with what fits the regular expression replaced'],
  ['split', ['string', 'delimiter'], 'The text in pieces, as a list'],
  ['extract', ['string', 'pattern'], 'What fits the regular expression, as a list'],
  ['date', ['from'], 'A date from a text or a moment'],
  ['time', ['from'], 'A time of day from a text or a moment'],
  ['date and time', ['from'], 'A moment from a text, or from a date and a time'],
  ['duration', ['from'], 'A span of time from a text such as "P3D" or "PT2H"'],
  ['years and months duration', ['from', 'to'], 'The whole months between two dates'],
  ['day of year', ['date'], 'Which day of the year it is'],
  ['day of week', ['date'], 'The day of the week, in English ("Monday")'],
  ['month of year', ['date'], 'The month, in English ("January")'],
  ['week of year', ['date'], 'Which week of the year it is'],
  ['last day of month', ['date'], 'The last day of the month'],
];

/** Text of a page: the sentences are ours, but a dictionary is no place for mark-up. */
const plain = (text) => text.replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`);

/** The parameters of a function, in the reader's language: they stand in the list and, until they are written over, in the expression. */
export const parameters = (names) => names.map((each) => ({ name: words(each).replace(/[{}$]/g, '') }));

function entry([name, params, about]) {
  const made = { name, type: 'function', params: parameters(params) };
  // Asked when it is shown: the page's dictionary is there by then. Not enumerable, so that a copy does not ask.
  return Object.defineProperty(made, 'info', { get: () => `<p>${plain(words(about))}</p>`, enumerable: false });
}

export const camundaBuiltins = FUNCTIONS.map(entry);
export const feelBuiltins = camundaBuiltins;
export const camundaExtensions = [];
export const camundaReservedNameBuiltins = [];
