/**
 * The bpmn.io packages read an id as letters of ASCII only and drop an element called 受理 while importing. XML Schema's NCName, which
 * the standard asks for, is wider: a name without colon in the letters of any script (Namespaces in XML 1.0; the server says the same
 * in engine/bpmn/xml.py). A new version of a package in which a pattern is not found fails the build.
 */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';

const LETTERS = String.raw`A-Z_a-z\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02FF\u0370-\u037D\u037F-\u1FFF\u200C\u200D\u2070-\u218F\u2C00-\u2FEF\u3001-\uD7FF\uF900-\uFDCF\uFDF0-\uFFFD\u{10000}-\u{EFFFF}`;
const NAME = String.raw`[${LETTERS}][${LETTERS}\-.0-9\u00B7\u0300-\u036F\u203F\u2040]*`;

const QNAME = [String.raw`/^([a-z][\w-.]*:)?[a-z_][\w-.]*$/i`, `/^(${NAME}:)?${NAME}$/u`];
const ID = [String.raw`/^[a-z_][\w-.]*$/i`, `/^${NAME}$/u`];
/** The variable of a field is a name of FEEL, which has the letters of any script too. */
const PATH = [String.raw`/^\w+(\.\w+)*$/`, String.raw`/^[\p{L}\p{N}_]+(\.[\p{L}\p{N}_]+)*$/u`];

/** File of a package → what is widened in it; each stands there once. */
const FILES = {
  'moddle-xml/dist/index.js': [QNAME],
  'bpmn-js-properties-panel/dist/index.esm.js': [QNAME, ID],
  'dmn-js-shared/lib/util/IdsUtil.js': [QNAME, ID],
  '@bpmn-io/form-js-editor/dist/index.es.js': [QNAME, ID, PATH],
};

/** The text of a file of a package with the patterns of its ids widened; any other file's as it is. */
export function withAnyLetters(file, text) {
  return (FILES[file] ?? []).reduce((result, [narrow, wide]) => {
    const found = result.split(narrow).length - 1;
    if (found !== 1) {
      throw new Error(`${file}: expected ${narrow} once, found it ${found} times; adapt ncname.mjs`);
    }
    return result.replace(narrow, () => wide);
  }, text);
}

/** The plugin for esbuild, after the one for words: a file is loaded by the first that knows it, and that one widens it too. */
export const anyLetters = {
  name: 'any-letters',
  setup(build) {
    for (const file of Object.keys(FILES)) {
      const path = file.replaceAll('.', '\\.').replaceAll('/', '[\\\\/]');
      build.onLoad({ filter: new RegExp(`node_modules[\\\\/]${path}$`) }, (loaded) => ({
        contents: withAnyLetters(file, readFileSync(loaded.path, 'utf8')),
        loader: 'js',
        resolveDir: dirname(loaded.path),
      }));
    }
  },
};
