#!/usr/bin/env bash
# Builds sdist and, from it, wheel; installs that with [local,lab] into an empty environment, and uses it from a
# folder that knows nothing of this repository: talk, report, the tutorials, doctor, bench.
# scripts/check-wheel.sh [--quick] [FOLDER]: the environment and all outputs go there; it is emptied first.
# --quick: of the tutorials only the first. Without FOLDER, nothing is left.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
tutorials='*'
if [ "${1:-}" = --quick ]; then tutorials='01_*' && shift; fi
folder=${1:-$(mktemp -d)}
if [ $# -eq 0 ]; then trap 'rm -rf "$folder"' EXIT; fi
rm -rf "$folder"
mkdir -p "$folder/dist" "$folder/work"
unset PYTHONPATH

step() { echo "== $* ($SECONDS s)"; }
step build
"${PYTHON:-python3}" -m venv "$folder/venv"
bin=$folder/venv/bin
pip=("$bin/python" -m pip -qq --disable-pip-version-check)
"${PYTHON:-python3}" -m venv "$folder/build"
"$folder/build/bin/python" -m pip -qq --disable-pip-version-check install build
"$folder/build/bin/python" -m build --outdir "$folder/dist" "$root" >"$folder/build.log" 2>&1 \
    || { cat "$folder/build.log"; exit 1; }
step install
"${pip[@]}" install --no-compile -c "$root/constraints.txt" "$(echo "$folder"/dist/*.whl)[local,lab]"

cd "$folder/work"
package=$("$bin/python" -c 'import realtime_nb; print(realtime_nb.__path__[0])')
case $package in "$folder"/venv/*) ;; *) echo "not the installed package: $package"; exit 1 ;; esac

step doctor
"$bin/realtime-nb" doctor
step talk
"$bin/realtime-nb" talk "$package/samples/austen_0880.wav" --json | tee talk.json
recording=$(tail -n 1 talk.json | "$bin/python" -c 'import json, sys; print(json.load(sys.stdin)["recording"])')
step report
"$bin/realtime-nb" report "$recording" --out report.html
test -s report.html
for notebook in "$package"/notebooks/$tutorials.ipynb; do
    step "$(basename "$notebook")"
    "$bin/jupyter-nbconvert" --execute --to notebook --output-dir . --log-level ERROR "$notebook"
done
step "bench inspector, which needs the dev extra"
if "$bin/realtime-nb" bench inspector 2>bench.txt; then
    echo "It ran without the dev extra."
    exit 1
fi
cat bench.txt
grep -qF "pip install 'realtime_nb[dev]'" bench.txt
echo "The wheel works: $(basename "$folder"/dist/*.whl) ($SECONDS s)"
