# Tests that boot something; included by the Makefile.  TESTARGS= goes to scripts/test-user.
.PHONY: test-user test-on-linux test-phases test-fuzz bench lean-linux
test-on-linux:
	THIRD=$(abspath $(THIRD)) scripts/test-on-linux $(TESTARGS)

test-user: $(B)/Image
	THIRD=$(abspath $(THIRD)) scripts/test-user --image $(B)/Image --smp $(or $(SMP),1) $(TESTARGS)

test-phases: $(B)/Image
	IMAGE=$(B)/Image tests/phases/run $(PHASES)

# make bench        ours beside Debian's Linux, or LINUX=Image (make lean-linux builds the toughest, six minutes); BENCHARGS=--write ...
bench:
	scripts/deps
	$(MAKE) build/Image initramfs
	$(if $(LINUX),,THIRD=$(abspath $(THIRD)) scripts/fetch-linux)
	THIRD=$(abspath $(THIRD)) scripts/bench $(if $(LINUX),--linux $(LINUX)) $(BENCHARGS)

test-fuzz:
	THIRD=$(abspath $(THIRD)) scripts/fuzz --image $(B)/Image $(FUZZARGS)

lean-linux:
	THIRD=$(abspath $(THIRD)) scripts/build-lean-linux

# make test-unit      host unit tests under sanitizers (SUITES=lib fs ...; CC= cannot be used here: UNIT_CC=clang)
.PHONY: test-unit
test-unit: $(GEN) build/uapi/.done
	CC=$(UNIT_CC) SUITES="$(SUITES)" scripts/test unit

# make test-kernel    tests inside the kernel, release and debug, -smp 1 and 4 (KTEST=suite,suite)
.PHONY: test-kernel
test-kernel:
	$(MAKE) build/ktest/Image
	$(MAKE) DEBUG=1 all
	KTEST=$(KTEST) scripts/test kernel
