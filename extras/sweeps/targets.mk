.PHONY: sweep
sweep: repro $(VENV)/installed-sweeps ## Search for the best settings on all processors; SWEEP=extras/sweeps/learning_rate.yaml
	@$(RUN) extras.sweeps.sweep $(SWEEP)
SWEEP ?= extras/sweeps/learning_rate.yaml
