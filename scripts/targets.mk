# make run          boot to a shell, having installed and built what is missing (SMP= MEM= DISK= VIRTIO= CACHE= NET= APPEND= DEBUG=1 GDB=1)
# make gdb          attach to a waiting QEMU (make run GDB=1 in another terminal) with symbols and the sarsen-* helpers (GDBARGS=)
# make rr           record a session (end it with poweroff -f or ^C), then replay it under GDB, which can step backwards
# make initramfs    the root file system
# make deps         fetch and build the pinned third-party sources
.PHONY: disk run gdb rr initramfs deps
# What a fresh clone lacks must be there before make reads the rules that use it: hence a make of its own.
JOBS2 = $(if $(filter -j%,$(MAKEFLAGS)),,-j2)
run:
	@[ -e $(THIRD)/.done ] || scripts/deps
	@$(MAKE) --no-print-directory $(JOBS2) $(B)/Image build/initramfs.cpio.gz
	@SMP=$(SMP) MEM=$(MEM) DISK="$(DISK)" VIRTIO=$(VIRTIO) CACHE=$(CACHE) NET=$(NET) APPEND="$(APPEND)" GDB=$(GDB) DEBUG=$(DEBUG) CPU=$(QEMU_CPU) GIC=$(GIC) scripts/qemu

# make disk         build/disk.img: the BusyBox root on a GPT partition of ext2 (docs/disks.md)
disk: build/disk.img
build/disk.img: build/initramfs.cpio.gz scripts/mkdisk
	@scripts/mkdisk $(DISKARGS) $@

gdb: $(B)/sarsen.elf
	gdb-multiarch -q $< -ex 'target remote $(if $(filter-out 1,$(GDB)),$(GDB),:1234)' -x scripts/gdb/sarsen.py $(GDBARGS)

rr: $(B)/Image build/initramfs.cpio.gz
	SMP=$(SMP) MEM=$(MEM) APPEND="$(APPEND)" DEBUG=$(DEBUG) CPU=$(QEMU_CPU) GIC=$(GIC) scripts/rr record
	scripts/rr debug

initramfs: build/initramfs.cpio.gz
build/initramfs.cpio.gz: scripts/gen-initramfs $(THIRD)/busybox/busybox $(shell find initramfs -type f 2>/dev/null)
	$(call say,CPIO,$@)
	@mkdir -p build
	$(Q)$(PYTHON) scripts/gen-initramfs $(THIRD)/busybox/busybox $(THIRD)/busybox/busybox.links initramfs $@

deps:
	scripts/deps

# make test         the whole suite, from nothing: tools, sources, kernel, root, tests (PARTS= some of them: unit kernel boot user phases gdb)
.PHONY: test
test:
	scripts/deps
	$(MAKE) $(JOBS2) all build/ktest/Image
	$(MAKE) $(JOBS2) DEBUG=1 all
	$(if $(filter race stress,$(or $(PARTS),race)),$(MAKE) $(JOBS2) RACE=1 all)
	$(MAKE) initramfs
	scripts/test $(PARTS)

# make check-reproducible   build HEAD in two folders and compare the bytes
.PHONY: check-reproducible
check-reproducible:
	THIRD=$(abspath $(THIRD)) scripts/check-reproducible

# make docs         docs/syscalls.md and docs/locking.md from their tables
.PHONY: docs
docs: docs/syscalls.md docs/locking.md
docs/syscalls.md: $(GEN)
	$(Q)cmp -s $(B)/gen/syscalls.md $@ || { cp $(B)/gen/syscalls.md $@ && echo "  GEN     $@"; }
docs/locking.md: kernel/sync/lock_order.def scripts/gen-locking
	$(call say,GEN,$@)
	$(Q)$(PYTHON) scripts/gen-locking $< > $@.tmp && mv $@.tmp $@

# make lint         our checks over the tree; cppcheck and clang-tidy where they are installed (QUICK=1: without; LINTFILES=)
# make format       clang-format on the C lines that differ from BASE (default HEAD)
.PHONY: lint format
lint: $(GEN)
	rm -f compile_commands.json	# it may be another build's
	$(MAKE) -s build/Image compile_commands.json
	QUICK=$(QUICK) scripts/lint $(LINTFILES)
format:
	git clang-format --extensions c,h $(or $(BASE),HEAD)
