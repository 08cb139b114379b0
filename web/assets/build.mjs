/**
 * Bundles the entries into web/static/build with hashed names and writes manifest.json: {"app.js": "build/app-XXXX.js", …}.
 *
 * A stamp holds the hash of everything that can change the result; when it is unchanged the build ends at once, so that
 * a second `make run` costs nothing. `--force` builds anyway.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { literalWords } from './literals.mjs';
import { anyLetters } from './ncname.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const target = resolve(here, '../static/build');
const stampFile = join(target, '.stamp');
const manifestFile = join(target, 'manifest.json');

const entries = ['app.js', 'task.js', 'diagram.js', 'css/app.css', 'css/task.css', 'css/diagram.css', 'designer.js', 'css/designer.css', 'designer_try.js', 'css/designer_try.css', 'differ.js', 'css/diff.css', 'designer_sheet.js', 'css/designer_sheet.css', 'css/designer_form.css', 'css/designer_decision.css', 'css/designer_simulation.css'];

/** The icons that the templates use, by their name in the Tabler set; they become one sprite. */
const icons = readFileSync(join(here, 'icons.txt'), 'utf8').split(/\s+/).filter(Boolean);

/**
 * form-js 2.0 translates all its messages but these literals. Each replacement must be found exactly once: a new
 * version of the package then fails the build here instead of quietly showing English. (The bpmn.io mark is not touched.)
 */
const formLiterals = [
  [`children: "Browse"`, `children: officeWords("Browse")`],
  [`children: valueLabel || 'Select'`, `children: valueLabel || officeWords("Select")`],
  [`placeholder: getLocaleReadableDateFormat(),`, `placeholder: officeWords(getLocaleReadableDateFormat()),`],
  [`placeholder: use24h ? 'hh:mm' : 'hh:mm --',`, `placeholder: officeWords(use24h ? 'hh:mm' : 'hh:mm --'),`],
  ['`Remove list item ${itemIndex + 1}`', `officeWords('Remove list item {number}', { number: itemIndex + 1 })`],
  [`placeholder: 'Search',`, `placeholder: officeWords("Search"),`],
];

const formWords = {
  name: 'form-words',
  setup(build) {
    build.onLoad({ filter: /form-js-viewer[\\/]dist[\\/]index\.es\.js$/ }, ({ path }) => {
      let contents = readFileSync(path, 'utf8');
      for (const [literal, replacement] of formLiterals) {
        const found = contents.split(literal).length - 1;
        if (found !== 1) {
          throw new Error(`${relative(here, path)}: expected ${literal} once, found it ${found} times; adapt formLiterals in build.mjs`);
        }
        contents = contents.replace(literal, replacement);
      }
      const words = JSON.stringify(join(here, 'lib/words.js'));
      return { contents: `import { words as officeWords } from ${words};\n${contents}`, loader: 'js', resolveDir: dirname(path) };
    });
  },
};

/**
 * The properties panel translates by a function that it hands from part to part, and forgets in some. Where it falls back, it
 * falls back on our words.
 */
const panelWords = {
  name: 'panel-words',
  setup(build) {
    build.onLoad({ filter: /@bpmn-io[\\/]properties-panel[\\/]dist[\\/]index\.esm\.js$/ }, ({ path }) => {
      const contents = readFileSync(path, 'utf8');
      const fallback = 'function translateFallback(template, replacements) {';
      if (contents.split(fallback).length !== 2) {
        throw new Error(`${relative(here, path)}: the fallback translation has changed; adapt panelWords in build.mjs`);
      }
      // Parts of a list have ids that nobody knows beforehand: what describes them is asked with the id.
      const described = 'return description[id] && description[id](element);';
      if (contents.split(described).length !== 2) {
        throw new Error(`${relative(here, path)}: the look-up of descriptions has changed; adapt panelWords in build.mjs`);
      }
      const words = JSON.stringify(join(here, 'lib/words.js'));
      const patched = contents
        .replace(fallback, `${fallback}\n  return officeWords(template, replacements);`)
        .replace(described, 'return (description[id] ?? description.any)?.(element, id);');
      return {
        contents: `import { words as officeWords } from ${words};\n${patched}`,
        loader: 'js',
        resolveDir: dirname(path),
      };
    });
  },
};

/** The FEEL editors complete the functions of our engine, described in our words, instead of the package's English pages. */
const feelBuiltins = {
  name: 'feel-builtins',
  setup(build) {
    build.onResolve({ filter: /^@camunda\/feel-builtins$/ }, () => ({ path: join(here, 'designer/feel_builtins.js') }));
  },
};

/** The tints of bpmn.io's packages are made with color-mix(); Chromium 108 gets the same tint of our blue, or of white, as a plain colour. */
const tinted = { '--bio-canvas-accent': '29 95 191', '--bio-surface': '255 255 255' };

const plainTints = {
  name: 'plain-tints',
  setup(build) {
    build.onLoad({ filter: /diagram-js(-minimap)?\.css$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(
        /color-mix\(in srgb, var\((--bio-canvas-accent|--bio-surface)\) (\d+)%, transparent\)/g,
        (_, name, share) => `rgb(${tinted[name]} / ${share}%)`,
      ),
      loader: 'css',
    }));
  },
};

function sources(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.name !== 'node_modules' && entry.name !== 'README.md')
    .flatMap((entry) => (entry.isDirectory() ? sources(join(folder, entry.name)) : [join(folder, entry.name)]))
    .sort();
}

function inputsHash() {
  const hash = createHash('sha256');
  for (const file of sources(here)) {
    hash.update(relative(here, file)).update('\0').update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}

function sprite() {
  const symbols = icons.map((name) => {
    const file = join(here, 'node_modules/@tabler/icons/icons/outline', `${name}.svg`);
    if (!existsSync(file)) {
      throw new Error(`icons.txt names "${name}", which the Tabler set does not have`);
    }
    const shapes = readFileSync(file, 'utf8')
      .replace(/^[\s\S]*?<svg[^>]*>/, '')
      .replace('</svg>', '')
      .replace(/<path stroke="none" d="M0 0h24v24H0z" fill="none" \/>/, '')
      .trim();
    return `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${shapes}</symbol>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join('\n')}\n</svg>\n`;
}

/** Chromium 108 is the floor; a feature that esbuild cannot lower must not reach the bundle unnoticed. */
function refuseTooNewCss(files) {
  for (const file of files.filter((name) => name.endsWith('.css'))) {
    const found = /(light-dark|color-mix|oklch|oklab)\(/.exec(readFileSync(file, 'utf8'));
    if (found) {
      throw new Error(`${relative(here, file)} uses ${found[1]}(), which Chromium 108 does not know`);
    }
  }
}

const wanted = inputsHash();
if (!process.argv.includes('--force') && existsSync(manifestFile) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted) {
  console.log('assets: unchanged');
  process.exit(0);
}

const { build } = await import('esbuild');
const started = Date.now();
// The result is built beside the folder in use and swapped in at the end, so that a failed build leaves the old one serving.
// Each build has a folder of its own: two that run at once must not sweep each other's files away.
const fresh = `${target}.new-${process.pid}`;
process.on('exit', () => rmSync(fresh, { recursive: true, force: true }));
const result = await build({
  absWorkingDir: here,
  entryPoints: entries,
  outdir: fresh,
  entryNames: '[name]-[hash]',
  chunkNames: 'chunk-[hash]',
  assetNames: 'asset-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  target: ['chrome108', 'firefox115', 'safari16.4'],
  minify: true,
  legalComments: 'linked',
  metafile: true,
  loader: { '.svg': 'dataurl', '.woff2': 'file', '.woff': 'empty', '.ttf': 'empty', '.eot': 'empty', '.bpmn': 'text' },
  plugins: [feelBuiltins, literalWords(here), anyLetters, formWords, panelWords, plainTints],
  logLevel: 'warning',
});

const manifest = {};
for (const [output, about] of Object.entries(result.metafile.outputs)) {
  // Files that are fetched only when they are needed have an entry point of their own, but no page names them.
  if (entries.includes(about.entryPoint) && !output.endsWith('.map')) {
    manifest[about.entryPoint.split('/').pop()] = `build/${output.split('/').pop()}`;
  }
}
const spriteText = sprite();
const spriteName = `icons-${createHash('sha256').update(spriteText).digest('hex').slice(0, 8).toUpperCase()}.svg`;
mkdirSync(fresh, { recursive: true });
writeFileSync(join(fresh, spriteName), spriteText);
manifest['icons.svg'] = `build/${spriteName}`;

refuseTooNewCss(readdirSync(fresh).map((name) => join(fresh, name)));
writeFileSync(join(fresh, 'manifest.json'), `${JSON.stringify(manifest, null, 1)}\n`);
writeFileSync(join(fresh, '.stamp'), wanted);
rmSync(target, { recursive: true, force: true });
renameSync(fresh, target);

const bytes = readdirSync(target).reduce((sum, name) => sum + statSync(join(target, name)).size, 0);
console.log(`assets: ${readdirSync(target).length} files, ${Math.round(bytes / 1024)} KB, ${Date.now() - started} ms`);
