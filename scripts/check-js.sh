#!/usr/bin/env bash
# Checks the types of the widgets' JavaScript, which is written with JSDoc types and never compiled.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v npx >/dev/null 2>&1; then
    echo "npx is not installed: the JavaScript's types were not checked."
    exit 0
fi
npx --yes --package typescript@5 tsc -p tests/widgets/jsconfig.json
