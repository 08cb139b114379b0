/**
 * Words that packages carry in their code instead of asking a `translate` service: the form editor with its own viewer, and the token
 * simulation. `literals.json` lists them by file. They are replaced while bundling; each must be found as often as the table says,
 * so that a new version of a package fails the build instead of quietly showing English. (The bpmn.io mark is not touched.)
 *
 * An entry: `{file, words: {sentence: times}, as?: {sentence: key in our dictionary}, replace: [{from, to, times}]}`. A word is the
 * whole of a string literal; what is only part of one stands under `replace`, where `officeWords`, `officeParts` and `officeGuide` may be used.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { withAnyLetters } from './ncname.mjs';

/** No text for people: what is compared, a module's name; and what is handed to our dictionary already. */
const NO_TEXT = /((===|!==|case|from|import)\s*|officeWords\()$/;

const quoted = (sentence, quote) => quote + sentence.replaceAll('\\', '\\\\').replaceAll(quote, `\\${quote}`) + quote;

/** Replace each literal that says `sentence`; returns the new text and how many there were. */
function replaceLiteral(text, sentence, replacement) {
  let times = 0;
  let result = text;
  for (const quote of ["'", '"']) {
    const literal = quoted(sentence, quote);
    const pieces = result.split(literal);
    result = pieces.reduce((before, after) => {
      const isText = !NO_TEXT.test(before.slice(-12)) && !after.startsWith(':');
      times += isText ? 1 : 0;
      return before + (isText ? replacement : literal) + after;
    });
  }
  return { text: result, times };
}

/** The patched text of one file. Throws when a sentence is not there as often as `entry` says. */
export function withOfficeWords(text, { file, words, as = {}, replace }) {
  const expect = (what, times, found) => {
    if (found !== times) {
      throw new Error(`${file}: expected ${JSON.stringify(what)} ${times} times, found it ${found} times; adapt literals.json`);
    }
  };
  let result = text;
  for (const { from, to, times } of replace) {
    expect(from, times, result.split(from).length - 1);
    result = result.split(from).join(to);
  }
  for (const [sentence, times] of Object.entries(words)) {
    const replaced = replaceLiteral(result, sentence, `officeWords(${JSON.stringify(as[sentence] ?? sentence)})`);
    expect(sentence, times, replaced.times);
    result = replaced.text;
  }
  return result;
}

/** The plugin for esbuild. */
export function literalWords(here) {
  const entries = JSON.parse(readFileSync(join(here, 'literals.json'), 'utf8'));
  const imports = [
    `import { words as officeWords } from ${JSON.stringify(join(here, 'lib/words.js'))};`,
    `import { guide as officeGuide } from ${JSON.stringify(join(here, 'lib/guide.js'))};`,
    `import { OFFERED as officeParts } from ${JSON.stringify(join(here, 'designer/forms/parts.js'))};`,
  ].join('\n');
  return {
    name: 'literal-words',
    setup(build) {
      for (const entry of entries) {
        const path = entry.file.replace(/[.+]/g, '\\$&').replaceAll('/', '[\\\\/]');
        build.onLoad({ filter: new RegExp(`node_modules[\\\\/]${path}$`) }, (loaded) => ({
          contents: `${imports}\n${withAnyLetters(entry.file, withOfficeWords(readFileSync(loaded.path, 'utf8'), entry))}`,
          loader: 'js',
          resolveDir: dirname(loaded.path),
        }));
      }
    },
  };
}
