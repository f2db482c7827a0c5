.PHONY: bench bench-baselines profile

bench: repro $(VENV)/installed-benchmarks ## Measure time and memory, compared with other implementations; over an hour, BENCH=--quick
	@$(RUN) extras.benchmarks $(BENCH)

profile: repro $(VENV)/installed-benchmarks ## Measure where the time of an iteration goes, kernel by kernel
	@$(RUN) extras.benchmarks.profile

bench-baselines: .venv-bench/installed ## Install what the benchmarks compare with: PyTorch, JAX

# It sees the packages of $(VENV), so that all have the same NumPy, TensorFlow and MLflow.
.venv-bench/installed: extras/benchmarks/baselines/requirements.in $(VENV)/installed
	@echo 'Setting up .venv-bench: about two minutes, once'
	@$(BIN)/python -m venv --clear .venv-bench
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> $$(echo .venv-bench/lib/python*/site-packages)/pipeline.pth
	@.venv-bench/bin/python -m pip install --quiet -r extras/benchmarks/baselines/requirements.in
	@touch $@
