.PHONY: example

example: ## Make a new project in DIR from examples/NAME: NAME=keras or tabular
	@test -d 'examples/$(NAME)' -a -n '$(NAME)' || { echo 'error: NAME is one of: $(filter-out tests %.mk,$(notdir $(wildcard examples/*)))' >&2; exit 2; }
	@test -n '$(DIR)' -a ! -e '$(DIR)' || { echo 'error: DIR is the name of a new folder' >&2; exit 2; }
	@mkdir -p '$(DIR)'
	@git ls-files -z -- . $(foreach path,$(ABOUT_THIS) $(EXTRAS_OF_THIS) $(REPLACED),':!$(path)') \
		| tar --null -T - -cf - | tar -xf - -C '$(DIR)'
	@cp -r examples/$(NAME)/. '$(DIR)'
	@cd '$(DIR)' && sed -i.old $(OWN_NAME) $(NO_BOUND) pyproject.toml && sed -i.old $(NO_DOCS) Makefile pyproject.toml \
		&& sed -i.old $(NO_EXTRAS) .github/workflows/ci.yml && sed -i.old $(OTHER_BYTES) .ci/run \
		&& rm -f *.old .github/workflows/*.old .ci/*.old
	@echo '$(DIR): now `cd $(DIR) && git init && make repro gate`'

# What is about this repository and its results.
ABOUT_THIS := docs examples metrics tests/slow tests/test_readme.py tests/test_adapting.py dvc.lock mlflow.list \
	CHANGELOG.md CONTRIBUTING.md MODEL_CARD.md README.md .github/SECURITY.md \
	$(addprefix extras/seeds/,README.md dvc.lock reference.json results.csv results.png)
# `make seeds` trains with our loop.
EXTRAS_OF_THIS = $(if $(OWN_TRAINING),extras,\
	$(filter-out extras/seeds extras/contracts.toml,$(wildcard extras/*)))

OWN_NAME = -e 's/^name = "mnist-pipeline"/name = "$(notdir $(abspath $(DIR)))"/' -e '/^description = /d'
NO_DOCS := -e 's/ of docs.reliability.md//' -e 's/ that docs.reliability.md lists//'
# A bound on the coverage of this project's code.
NO_BOUND := -e '/^fail_under = /d'
# Their tests, and the job that deletes them, up to the next one.
NO_EXTRAS := -e 's/, extras, examples\]/]/' \
	-e '/^  without:/,/^  comment:/{' -e '/^  comment:/!d' -e '}'

# The bytes of another training may depend on the processor.
OTHER_BYTES = -e '$(if $(OWN_TRAINING),/^  unchanged$$/d)'
OWN_TRAINING = $(wildcard examples/$(NAME)/stages/train/train.py)

# A stage whose functions an example replaces comes with what its __main__.py imports, and without
# its other modules and the tests of both.
REPLACED = $(foreach stage,$(notdir $(wildcard examples/$(NAME)/stages/*)),\
	$(if $(wildcard examples/$(NAME)/stages/$(stage)/$(stage).py),$(call unused,$(stage))))
unused = $(foreach module,$(1) $(filter-out $(call imported,$(1)),$(call modules,$(1))),\
	stages/$(1)/$(module).py tests/stages/$(1)/test_$(module).py)
modules = $(basename $(notdir $(wildcard stages/$(1)/[!_]*.py)))
imported = $(shell sed -n 's/^from stages[.]$(1)[.]\([a-z_]*\) import.*/\1/p' stages/$(1)/__main__.py)
