# `make` or `make help` lists the targets. Needs git, make and Python 3.11, 3.12 or 3.13.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help repro repair ui compare gate summary test test-all faults mutants lint format audit lock upgrade \
	develop clean
MAKEFLAGS += --no-builtin-rules
# Modules come from this folder, packages from .venv, whose bytecode is worth keeping.
unexport PYTHONSAFEPATH PYTHONPATH PYTHONWARNINGS PYTHONHOME PYTHONDONTWRITEBYTECODE
# DVC asks for a name, which a user id in a container may lack.
export USER ?= $(shell id -un 2> /dev/null || id -u)

VENV := .venv
BIN := $(VENV)/bin
# Stages are started as `python`, DVC's queue as `dvc`.
export PATH := $(CURDIR)/$(BIN):$(PATH)
RUN := $(BIN)/python -m
EXTRAS := $(patsubst extras/%/requirements.lock,$(VENV)/installed-%,$(wildcard extras/*/requirements.lock))

# The Python of .venv, or else the first that TensorFlow has packages for.
CHECK_VERSION := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
define install
@for python in $(BIN)/python $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	$$python -c '$(CHECK_VERSION)' 2> /dev/null && exec $$python -m commands.install $(1); done; \
echo 'error: requires Python 3.11, 3.12 or 3.13; `make PYTHON=...` names one' >&2; exit 2
endef

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-20s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

repro: $(VENV)/installed ## Run every stage that is not up to date
	@$(RUN) dvc repro

# DVC trusts what it has read before, and read-only files in its cache: an empty state has it read
# everything, and writable files are checked.
repair: $(VENV)/installed ## Check every byte, and rebuild damaged files
	@chmod -R u+w "$$($(RUN) dvc cache dir)" 2> /dev/null || true
	@state=$$(mktemp -d) && DVC_SITE_CACHE_DIR=$$state $(RUN) dvc repro; status=$$?; rm -rf "$$state"; exit $$status

ui: $(VENV)/installed ## Compare the runs in the MLflow UI, on this machine only; PORT=5000
	@$(RUN) commands.ui --port $(PORT)
PORT ?= 5000

compare: $(VENV)/installed ## List the experiments of the last two commits: what each changed, and its test accuracies
	@$(RUN) commands.compare

gate: $(VENV)/installed ## Check that the accuracies are up to date and reach their thresholds
	@$(RUN) commands.gate

summary: $(VENV)/installed ## Print the results, and what changed since REVISION, in Markdown
	@$(RUN) commands.summary $(REVISION)
REVISION ?= HEAD

test: $(VENV)/installed-dev $(EXTRAS) ## Run the fast tests, and measure what they cover
	@$(TEST) --cov -m 'not slow and not marathon'

test-all: $(VENV)/installed-dev $(EXTRAS) ## Run all tests, including real data, a browser and other processors
	@$(TEST) -m 'not marathon'

faults: $(VENV)/installed-dev $(EXTRAS) ## Inject the faults of docs/reliability.md; half an hour
	@$(RUN) pytest --verbose -m fault

mutants: $(VENV)/installed-dev ## Show which small changes of FILE no fast test of its folder notices
	@test -f '$(FILE)' || { echo 'error: FILE is a module, such as common/splits.py' >&2; exit 2; }
	@copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT && git clone --quiet . "$$copy" \
		&& ln -s '$(CURDIR)/$(VENV)' "$$copy" && cd "$$copy" \
		&& printf '%s\n' '[cosmic-ray]' 'module-path = "$(FILE)"' "test-command = \"$(TEST_FOLDER)\"" \
		'timeout = 300.0' '[cosmic-ray.distributor]' 'name = "local"' > mutants.toml \
		&& $(MUTATE) cosmic-ray init mutants.toml mutants && $(MUTATE) cosmic-ray baseline mutants.toml \
		&& $(MUTATE) cosmic-ray exec mutants.toml mutants \
		&& $(MUTATE) cr-report --show-diff --surviving-only mutants
TEST_FOLDER = .venv/bin/python -m pytest -x -q -m 'not slow and not marathon' --doctest-modules $(FILE) tests/$(dir $(FILE))
MUTATE = $(BIN)/uv tool run --quiet --from cosmic-ray==8.4.6

# One process runs all tests of a file, so that the file's fixtures are set up once.
TEST = $(RUN) pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: $(VENV)/installed-dev ## Check style, types and the direction of imports of what git tracks
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(RUN) mypy $(filter-out examples/%,$(SOURCES))
	@PYTHONPATH=. $(BIN)/lint-imports --no-cache
	@test ! -f extras/contracts.toml || PYTHONPATH=. $(BIN)/lint-imports --no-cache extras/contracts.toml
# Without git, all files; without those that were deleted since the last commit.
SOURCES = $(or $(wildcard $(shell git ls-files '*.py' 2> /dev/null)),.)

format: $(VENV)/installed-dev ## Format the code, and correct what ruff can
	@$(BIN)/ruff check --fix-only $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

audit: $(VENV)/installed ## Look for known vulnerabilities in the locked packages
	@if $(BIN)/python -c 'import requests; requests.head("https://api.osv.dev", timeout=10)' 2> /dev/null; \
	then $(BIN)/uv tool run --quiet pip-audit==2.10.1 --vulnerability-service osv \
		--require-hashes --disable-pip --requirement requirements.lock $(ACCEPTED); \
	else echo 'https://api.osv.dev cannot be reached: the locked packages were not audited'; fi
ACCEPTED = $(shell sed -n 's/^\([A-Z][^ ]*\) .*/--ignore-vuln \1/p' .github/accepted-advisories.txt)

lock: $(VENV)/installed ## Lock packages that were added; the others keep their versions
	@$(COMPILE) pyproject.toml stages/*/requirements.txt -o requirements.lock
	@for file in $(wildcard requirements-*.in extras/*/requirements.in); do \
		$(COMPILE) -c requirements.lock $$file -o $${file%.in}.lock || exit; done

upgrade: COMPILE += --upgrade
upgrade: lock ## Lock the newest version of every package that no stage pins

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header

develop: $(VENV)/installed-dev $(EXTRAS) ## Install all packages, and a git hook that checks every commit
	@$(RUN) pre_commit install || true

clean: ## Remove outputs and environments; keep DVC's cache and the MLflow store
	@# Files that DVC lists and git does not: nobody else's.
	@{ git ls-files; git ls-files; $(RUN) dvc ls --recursive --dvc-only . 2> /dev/null; } | sort | uniq -u | tr '\n' '\0' | xargs -0 rm -f
	@find data models costs curves plots -type d -empty -delete 2> /dev/null || true
	rm -rf $(VENV) .venv-bench dvc_plots .cache .coverage* .mypy_cache .pytest_cache .ruff_cache

# These compare what is installed with a lock file, every time.
$(VENV)/installed: FORCE
	$(call install,requirements.lock)
	@# Unpacked from an archive: everything works, except for experiments and commits in MLflow.
	@git rev-parse --git-dir > /dev/null 2>&1 || $(RUN) dvc config --local core.no_scm true

$(VENV)/installed-dev: $(VENV)/installed
	$(call install,requirements-dev.lock)

$(VENV)/installed-%: $(VENV)/installed
	$(call install,extras/$*/requirements.lock)

FORCE:

-include extras/*/targets.mk examples/targets.mk
