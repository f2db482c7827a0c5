.PHONY: demo study

demo: repro $(VENV)/installed-handwriting ## Draw digits on a page that shows the predictions, on this machine only
	@$(BIN)/python -m extras.handwriting.demo

study: repro $(VENV)/installed-handwriting ## Measure how well pictures of test digits are read; 20 minutes
	@$(BIN)/python -m extras.handwriting.study
