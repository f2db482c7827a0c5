.PHONY: demo
demo: repro $(VENV)/installed-handwriting ## Serve a page to draw digits on, on this machine only
	@$(RUN) extras.handwriting.demo
