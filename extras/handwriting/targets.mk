.PHONY: demo
demo: repro $(VENV)/installed-handwriting ## Draw digits on a page that shows the predictions, on this machine only; DEMO_PORT=8501
	@$(RUN) extras.handwriting.demo --port $(DEMO_PORT)
DEMO_PORT ?= 8501
