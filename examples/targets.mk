.PHONY: example

example: ## Make a new project in DIR from examples/NAME, without extras: NAME=cnn or tabular
	@test -d 'examples/$(NAME)' -a -n '$(NAME)' || { echo 'error: NAME is one of: $(filter-out tests,$(notdir $(wildcard examples/*)))' >&2; exit 2; }
	@test -n '$(DIR)' -a ! -e '$(DIR)' || { echo 'error: DIR is the name of a new folder' >&2; exit 2; }
	@mkdir -p '$(DIR)'
	@git ls-files -z -- . ':!extras' ':!examples' ':!metrics' ':!dvc.lock' ':!MODEL_CARD.md' \
		':!tests/slow' ':!tests/test_readme.py' $(REPLACED:%=':!%/[!_]*.py') $(REPLACED:%=':!tests/%') | tar --null -T - -cf - \
		| tar -xf - -C '$(DIR)'
	@cp -r examples/$(NAME)/. '$(DIR)'
	@echo '$(DIR): now `cd $(DIR) && git init && make repro gate`'
# A stage whose functions an example replaces comes without its other modules and its tests.
REPLACED = $(foreach stage,$(notdir $(wildcard examples/$(NAME)/stages/*)),\
	$(if $(wildcard examples/$(NAME)/stages/$(stage)/$(stage).py),stages/$(stage)))
