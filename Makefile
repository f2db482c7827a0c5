# `make` or `make help` lists the targets. Needs git, make and Python 3.11, 3.12 or 3.13.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help repro repair ui demo gate summary replicates sweep portability bench bench-peers test faults \
	test-all lint audit lock clean
MAKEFLAGS += --no-builtin-rules

# The first Python of a version that TensorFlow has packages for; `make PYTHON=...` to choose.
VERSIONS := 3.11, 3.12 or 3.13
CHECK_VERSION := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(CHECK_VERSION)' 2> /dev/null && echo $$python && break; done)

VENV := .venv
BIN := $(VENV)/bin
INSTALL = PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --require-hashes

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

repro: $(VENV)/installed ## Fetch, flatten, train, evaluate, report and track whatever is not up to date
	@$(BIN)/dvc repro

# DVC takes what it has seen before, and what is read-only in its cache, for right unread. A kill
# can leave its list of locks empty.
repair: $(VENV)/installed ## Have DVC read every byte again, and make what is damaged anew
	@rm -rf .dvc-state
	@mkdir -p .dvc/cache .dvc/tmp
	@chmod -R u+w .dvc/cache
	@find .dvc/tmp -name rwlock -empty -delete
	@$(BIN)/dvc repro

ui: $(VENV)/installed ## Compare the runs in MLflow's pages, on this machine alone; PORT=5000
	@$(BIN)/python -m stages.track
	@$(BIN)/python -m commands.ui --port $(PORT)
PORT ?= 5000

demo: repro ## Draw digits on a page that the runs answer on, on this machine alone
	@$(BIN)/python -m extras.handwriting.demo

gate: $(VENV)/installed ## Check the accuracies against their thresholds
	@$(BIN)/python -m commands.gate

summary: $(VENV)/installed ## Print the results, and what changed since REVISION, in Markdown
	@$(BIN)/python -m commands.summary $(REVISION)
REVISION ?= HEAD

replicates: repro $(if $(RAY),$(VENV)/installed-sweep) ## Train every run with 30 seeds, for the deviations and the gate's reference; RAY=1
	@REPLICATES=$(if $(RAY),--ray) $(BIN)/dvc repro studies/dvc.yaml

sweep: repro $(VENV)/installed-sweep ## Search for the best settings on all processors; SWEEP=extras/sweeps/learning_rate.yaml
	@$(BIN)/python -m extras.sweeps.sweep $(SWEEP)
SWEEP ?= extras/sweeps/learning_rate.yaml

portability: $(VENV)/installed ## Compare the bytes of a training between processors; needs qemu-user
	@$(BIN)/python -m extras.portability

bench: $(VENV)/installed-dev repro ## Measure times and memory beside other ways; half an hour, BENCH=--quick
	@$(BIN)/python -m extras.benchmarks $(BENCH)

bench-peers: .venv-bench/installed ## Install what the benchmarks compare with: PyTorch, JAX

test: $(VENV)/installed-dev ## Run all tests but the slow ones
	@$(TEST) -m 'not slow'

faults: $(VENV)/installed-dev ## Inject every fault that docs/reliability.md lists; half an hour
	@$(BIN)/python -m pytest --verbose --faults \
		$$(grep -oE 'tests/[a-z_/]+\.py::test_[a-z_0-9]+' docs/reliability.md | sort -u)

test-all: $(VENV)/installed-dev $(VENV)/installed-sweep ## Run all tests, with the real pipeline on the real data
	@$(TEST) -m 'not marathon'

# A test file a core: what a file sets up once is set up once.
TEST = $(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: $(VENV)/installed-dev ## Check style, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# In an environment of its own, for it is not needed to make or to test a result.
audit: $(VENV)/installed-dev ## Look for known weaknesses in the locked packages
	@if $(BIN)/python -c 'import requests; requests.head("https://api.osv.dev", timeout=10)' 2> /dev/null; \
	then $(BIN)/uv tool run --quiet pip-audit==2.10.1 --vulnerability-service osv \
		--require-hashes --disable-pip --requirement requirements.lock; \
	else echo 'https://api.osv.dev cannot be reached: the locked packages were not audited'; fi

lock: $(VENV)/installed-dev ## Renew the lock files from pyproject.toml
	@$(BIN)/uv pip compile $(UPGRADE) $(COMPILE) pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile $(UPGRADE) $(COMPILE) --group dev -c requirements.lock \
		-o requirements-dev.lock
	@$(BIN)/uv pip compile $(UPGRADE) $(COMPILE) --group sweep -c requirements.lock \
		-o requirements-sweep.lock
UPGRADE ?= --upgrade
COMPILE := --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

# The peers see the packages of $(VENV), so that all have the same NumPy, TensorFlow and MLflow.
.venv-bench/installed: pyproject.toml $(VENV)/installed
	@echo 'Setting up .venv-bench: about two minutes, once'
	@$(BIN)/python -m venv --clear .venv-bench
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> $$(echo .venv-bench/lib/python*/site-packages)/pipeline.pth
	@.venv-bench/bin/python -m pip install --quiet 'pip>=25.1'
	@.venv-bench/bin/python -m pip install --quiet --group bench
	@touch $@

clean: ## Delete what was made and installed, but for DVC's cache and the MLflow store
	rm -rf $(VENV) .venv-bench data models costs plots dvc_plots .cache .dvc-state .mypy_cache .pytest_cache .ruff_cache

# An installation that was interrupted has no stamp, so the next call does it again.
$(VENV)/installed: requirements.lock
	@test -n '$(PYTHON)' || { echo 'error: no Python $(VERSIONS) found; install one, or make PYTHON=...' >&2; exit 2; }
	@$(PYTHON) -c '$(CHECK_VERSION)' || { echo 'error: $(PYTHON) is not Python $(VERSIONS)' >&2; exit 2; }
	@echo 'Setting up $(VENV) with $(PYTHON): about two minutes, once'
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) -r requirements.lock
	@# Not below /var/tmp, where others could write; absolute, or `dvc exp run --temp` would not find it.
	@$(BIN)/dvc config --local core.site_cache_dir '$(CURDIR)/.dvc-state'
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock $(VENV)/installed
	@$(INSTALL) -r requirements-dev.lock
	@touch $@

$(VENV)/installed-sweep: requirements-sweep.lock $(VENV)/installed
	@$(INSTALL) -r requirements-sweep.lock
	@touch $@
