#!/usr/bin/env bash
# Installs the package with [local] for each Python that it supports and that this machine has, and
# has each talk: import, all public names, a spoken turn with the local server, its recording.
# scripts/check-pythons.sh [FOLDER]: environments go there; it is emptied first.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
folder=${1:-$(mktemp -d)}
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
    python=$(python_of "$version") || { echo "== Python $version: not here"; continue; }
    echo "== Python $version: $python"
    "$python" -m venv "$folder/$version"
    bin=$folder/$version/bin
    "$bin/python" -m pip install --quiet --disable-pip-version-check -c "$root/constraints.txt" "$root[local]"
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
[ "$tried" -gt 0 ] || { echo "None of them is here."; exit 1; }
echo "$tried versions of Python work."
