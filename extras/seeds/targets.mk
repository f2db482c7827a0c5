.PHONY: seeds
seeds: repro ## Train every run with 30 seeds, and record how results vary for the gate to compare with
	@$(RUN) dvc repro extras/seeds/dvc.yaml
