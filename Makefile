# Everything runs in .venv, which is made on first use. Needs Python 3.11 to 3.13 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A third of the time, tests without live sound wait: for sockets, processes, notebooks.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) \* 3 / 2)
# Where tests with live sound are; reading all others takes each process ten seconds.
LIVE := tests/agent tests/commands tests/devices tests/e2e tests/widgets
# A slow package index is not a failure.
export PIP_DEFAULT_TIMEOUT ?= 60
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: lab talk test check packages package-wheel package-pythons package-binder docs bench clean

## open JupyterLab on the index of the tutorials
lab: $(VENV)/.lab
	$(BIN)/realtime-nb lab

## the same conversation without a screen: a recorded voice talks with the local agent
talk: $(VENV)/.local
	$(BIN)/realtime-nb talk realtime_nb/samples/austen_0880.wav

## the tests, but for pytest -m kernels, -m firefox, -m long and -m foreign; installs a browser and PortAudio
test: $(VENV)/.dev
	scripts/system-packages.sh
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m 'not (live or kernels or long or foreign)'
	$(BIN)/python -m pytest $(LIVE) -n 2 --dist loadfile --no-loadscope-reorder -m 'live and not (alone or kernels or firefox or long or foreign)'
	$(BIN)/python -m pytest $(LIVE) -m 'alone and not (kernels or firefox or long or foreign)'

## format, lint and types, without changing anything
check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	scripts/check-js.sh

## what users install, in empty environments: the wheel, under each Python that is here, as Binder does
packages: package-wheel package-pythons package-binder

package-wheel:
	scripts/check-wheel.sh --quick

package-pythons:
	scripts/check-pythons.sh --others

package-binder:
	scripts/check-binder.sh

## the documentation as a site, in build/site
docs: $(VENV)/.dev
	$(BIN)/python -m mkdocs build --strict --quiet

## the benchmarks, on this machine
bench: $(VENV)/.dev
	$(BIN)/realtime-nb bench

clean:
	rm -rf $(VENV)

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "realtime_nb needs Python 3.11 to 3.13: make PYTHON=python3.11 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.local: $(VENV)/.made pyproject.toml constraints.txt
	$(PIP) -e '.[local]'
	@touch $@

$(VENV)/.lab: $(VENV)/.made pyproject.toml constraints.txt
	$(PIP) -e '.[local,lab]'
	-$(BIN)/realtime-nb models add smollm2
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml constraints.txt
	$(PIP) -e '.[dev]'
	$(BIN)/realtime-nb models add smollm2
	@touch $@
