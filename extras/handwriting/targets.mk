.PHONY: demo

demo: repro $(VENV)/installed-handwriting ## Draw digits on a page that shows the predictions, on this machine only; PORT=8501
	@$(BIN)/python -m extras.handwriting.demo
