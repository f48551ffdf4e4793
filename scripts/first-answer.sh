#!/usr/bin/env bash
# How long the first command of README.md that speaks takes until its answer was heard to its end,
# for somebody who has nothing yet: a clean copy of what git knows, an empty HOME, no pip cache, no
# environment.
# scripts/first-answer.sh [SECONDS]: fails if it takes longer; 120 unless told.
# scripts/first-answer.sh --command: only prints the command.
set -euo pipefail
cd "$(dirname "$0")/.."

# In README.md: "make talk    # without a screen: a recorded human voice talks …".
command=$(sed -nE 's/^(make [a-z]+) +# without a screen: a recorded human voice talks.*/\1/p' README.md)
[ -n "$command" ] || { echo "README.md names no command that lets a recorded voice talk."; exit 1; }
if [ "${1:-}" = --command ]; then echo "$command" && exit 0; fi
bound_s=${1:-120}
[[ $bound_s =~ ^[1-9][0-9]*$ ]] || { echo "SECONDS is a whole number such as 120, not '$bound_s'."; exit 2; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/home" "$folder/clone"
changed=$(git stash create)
git archive "${changed:-HEAD}" | tar -x -C "$folder/clone"
# Where a shim such as pyenv's leads from here; it needs the HOME that is gone below.
python=$(python3 -c 'import sys; print(sys.executable)')
unset PYTHONPATH VIRTUAL_ENV XDG_CACHE_HOME XDG_DATA_HOME XDG_CONFIG_HOME
export HOME=$folder/home PIP_NO_CACHE_DIR=1 PYTHON=$python PYTHONUNBUFFERED=1
cd "$folder/clone"

echo "$command"
began=$(date +%s%N)
passed_s() { local ms=$((($(date +%s%N) - began) / 1000000)); printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100)); }
heard_s=
while IFS= read -r line; do
    printf '%6s s  %s\n' "$(passed_s)" "$line"
    # Printed once the answer was heard to its end.
    if [[ $line =~ ^\ *answered\ after ]]; then heard_s=${heard_s:-$(passed_s)}; fi
done < <($command 2>&1 || echo "It failed: exit code $?.")

[ -n "$heard_s" ] || { echo "No answer was heard."; exit 1; }
echo "From nothing to a spoken answer: $heard_s s; at most $bound_s s."
[ "${heard_s%.*}" -lt "$bound_s" ]
