.PHONY: portability portability-arm64 portability-shapes
portability: $(VENV)/installed ## Compare the bytes of a training between processors; uses qemu-user
	@$(RUN) extras.portability

portability-arm64: $(VENV)/installed ## Set up emulated ARM64 processors for `make portability`
	@$(RUN) extras.portability.arm64

portability-shapes: $(VENV)/installed ## Compare the bytes of models of random shapes; needs emulated ARM64
	@$(RUN) extras.portability.shapes
