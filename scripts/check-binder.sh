#!/usr/bin/env bash
# Builds what Binder builds, without Docker: takes the commands that repo2docker has for this
# repository, runs them in an empty environment and a clean copy of what git knows, and there the
# first tutorial.
# scripts/check-binder.sh [FOLDER]: copy and environments go there; it is emptied first. Without
# FOLDER, nothing is left.
# scripts/check-binder.sh --commands [FOLDER]: only prints the commands.
set -euo pipefail
cd "$(dirname "$0")/.."
only=false
if [ "${1:-}" = --commands ]; then only=true && shift; fi
folder=${1:-$(mktemp -d)}
if [ $# -eq 0 ]; then trap 'rm -rf "$folder"' EXIT; fi
rm -rf "$folder"
mkdir -p "$folder/repo"
unset PYTHONPATH
python=${PYTHON:-python3}

# With what is changed and not committed, if anything is.
changed=$(git stash create)
git archive "${changed:-HEAD}" | tar -x -C "$folder/repo"

repo2docker=$(command -v jupyter-repo2docker || true)
if [ -z "$repo2docker" ]; then
    "$python" -m venv "$folder/repo2docker"
    "$folder/repo2docker/bin/python" -m pip install -qq --disable-pip-version-check jupyter-repo2docker
    repo2docker=$folder/repo2docker/bin/jupyter-repo2docker
fi
"$repo2docker" --no-build --debug "$folder/repo" >"$folder/Dockerfile" 2>"$folder/repo2docker.log" \
    || { cat "$folder/repo2docker.log"; exit 1; }
# What is the same for every repository does not count: it names none of this one's files.
grep -E '^Building conda environment' "$folder/repo2docker.log"
commands=$(sed -nE \
    -e 's/^(apt-get install --yes --no-install-recommends [^&\\]*[^&\\ ]).*/\1/p' \
    -e 's/^RUN (\$\{KERNEL_PYTHON_PREFIX\}\/bin\/pip .*|.*binder\/.*)/\1/p' "$folder/Dockerfile")
echo "$commands"
grep -qF 'pip install' <<<"$commands" || { echo "repo2docker installs nothing."; exit 1; }
if $only; then exit 0; fi

"$python" -m venv "$folder/venv"
export KERNEL_PYTHON_PREFIX=$folder/venv PATH=$folder/venv/bin:$PATH
cd "$folder/repo"
while read -r command; do
    echo "== $command ($SECONDS s)"
    if [[ $command != apt-get* ]]; then
        # The command is repo2docker's; what pip collects is 200 lines.
        PIP_QUIET=1 eval "$command"
    elif read -ra packages <<<"${command##*recommends}" && dpkg -s "${packages[@]}" >/dev/null 2>&1; then
        echo "It is there."
    else
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive eval "$command -qq"
    fi
done <<<"$commands"

for notebook in notebooks/01_*.ipynb; do
    echo "== $notebook ($SECONDS s)"
    jupyter nbconvert --execute --to notebook --output-dir "$folder/run" --log-level ERROR "$notebook"
done
echo "Binder's commands work: $(basename "$notebook") ran to its end ($SECONDS s)."
