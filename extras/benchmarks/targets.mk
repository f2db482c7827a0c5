.PHONY: bench

bench: repro ## Measure time and memory, compared with other implementations; ROUNDS=3 in 40 minutes, or QUICK=1 in ten
	@$(MAKE) --no-print-directory .venv-bench/installed || echo 'JAX and PyTorch are not installed: left out'
	@$(RUN) extras.benchmarks --rounds $(ROUNDS) $(if $(QUICK),--quick)
ROUNDS ?= 3

# It sees the packages of $(VENV), so that all have the same NumPy, TensorFlow and MLflow.
.venv-bench/installed: extras/benchmarks/baselines/requirements.in | $(VENV)/installed
	@echo 'Setting up .venv-bench: about two minutes, once'
	@$(BIN)/python -m venv --clear .venv-bench
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> $$(echo .venv-bench/lib/python*/site-packages)/pipeline.pth
	@.venv-bench/bin/python -m pip install --quiet -r extras/benchmarks/baselines/requirements.in
	@touch $@
