#!/usr/bin/env bash
# Installs what the tests need beside Python: a browser, PortAudio with a virtual sound card, node.
# Does nothing where it is all there; says what to install where it can't.
set -euo pipefail

missing=()
need() { # command-or-library, package
    command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}

if [ "$(uname -s)" = "Darwin" ]; then
    need node node
    [ -d "/Applications/Chromium.app" ] || [ -d "/Applications/Google Chrome.app" ] || missing+=(chromium)
    [ ${#missing[@]} -eq 0 ] || echo "For all tests: brew install ${missing[*]}"
    exit 0
fi

need chromium chromium
need jackd jackd2
need jack_connect jack-example-tools
need node nodejs
need npx npm
ldconfig -p 2>/dev/null | grep -q 'libportaudio\.so\.2' || missing+=(libportaudio2)
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "Some tests will be skipped. They need: ${missing[*]}"
    exit 0
fi
run=()
if [ "$(id -u)" -ne 0 ]; then
    run=(sudo)
    command -v sudo >/dev/null 2>&1 || { echo "As root: apt-get install ${missing[*]}"; exit 0; }
fi
export DEBIAN_FRONTEND=noninteractive
"${run[@]}" apt-get update -qq
# jack_connect comes with jackd2 before Debian 12, in a package of its own since.
for package in "${missing[@]}"; do
    "${run[@]}" apt-get install -y -qq --no-install-recommends "$package" >/dev/null \
        || echo "$package could not be installed; the tests that need it will be skipped."
done
