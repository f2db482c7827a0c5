.PHONY: portability
portability: $(VENV)/installed ## Compare the bytes of a training between processors; needs qemu-user
	@$(RUN) extras.portability
