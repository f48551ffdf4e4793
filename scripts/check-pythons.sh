#!/usr/bin/env bash
# Installs the package with [local] for each Python that it supports and that this machine has, and
# has each talk: import, all public names, a spoken turn with the local server, its recording.
# scripts/check-pythons.sh [--others] [FOLDER]: environments go there; it is emptied first.
# --others: without the one that runs everything else here. Without FOLDER, nothing is left.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
runs_the_rest=
if [ "${1:-}" = --others ]; then
    shift
    runs_the_rest=$("${PYTHON:-python3}" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
fi
folder=${1:-$(mktemp -d)}
if [ $# -eq 0 ]; then trap 'rm -rf "$folder"' EXIT; fi
rm -rf "$folder"
mkdir -p "$folder"
unset PYTHONPATH

python_of() { # version; prints where it is
    command -v "python$1" 2>/dev/null | grep -v /shims/ && return
    # pyenv has them where no path leads.
    ls "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python 2>/dev/null | tail -n 1 | grep . && return
    return 1
}

tried=0
for version in 3.11 3.12 3.13; do
    if [ "$version" = "$runs_the_rest" ]; then echo "== Python $version: runs the rest" && continue; fi
    python=$(python_of "$version") || { echo "== Python $version: not here"; continue; }
    echo "== Python $version: $python ($SECONDS s)"
    "$python" -m venv "$folder/$version"
    bin=$folder/$version/bin
    pip=("$bin/python" -m pip -qq --disable-pip-version-check)
    # One wheel for all of them: nothing in it is of one version of Python.
    ls "$folder"/*.whl >/dev/null 2>&1 || "${pip[@]}" wheel --no-deps --wheel-dir "$folder" "$root"
    "${pip[@]}" install --no-compile -c "$root/constraints.txt" "$(echo "$folder"/*.whl)[local]"
    cd "$folder"
    "$bin/python" -W error::DeprecationWarning:realtime_nb - <<'END'
import asyncio
import sys
from pathlib import Path

import realtime_nb as rt


async def talk() -> rt.Recording:
    hello = Path(rt.__file__).parent / "samples" / "austen_0880.wav"
    async with rt.connect("local", pace=4, record=f"recordings-{sys.version_info[1]}") as session:
        await session.play(hello)
        await session.settled()
        words = session.conversation.transcript()
    assert [who for who, _ in words] == ["user", "assistant"], words
    assert "young man" in words[0][1], words
    return rt.load(session.recording)


assert all(getattr(rt, name) is not None for name in rt.__all__)
rec = asyncio.run(talk())
assert len(rec.turns) == 1 and not rec.problems, rec.problems
print(f"Python {sys.version.split()[0]} talks: {rec.turns.user_text[0]}")
END
    cd "$root"
    tried=$((tried + 1))
done
if [ "$tried" -eq 0 ] && [ -z "$runs_the_rest" ]; then echo "None of them is here." && exit 1; fi
echo "Versions of Python that work: $tried ($SECONDS s)"
