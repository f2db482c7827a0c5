.PHONY: seeds
seeds: repro ## Train every run with 30 seeds: how much results vary, and what the gate compares with
	@$(RUN) dvc repro extras/seeds/dvc.yaml
