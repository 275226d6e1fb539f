# Sarsen.  `make help` lists the targets.  Variables: DEBUG=1, SMP=, MEM=, DISK=, NET=, APPEND=, GDB=1, THIRD= (third-party results).
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

B := build$(if $(DEBUG),/debug)
THIRD ?= build/third
CROSS ?= aarch64-linux-gnu-
CC := $(CROSS)gcc
LD := $(CROSS)ld
OBJCOPY := $(CROSS)objcopy
NM := $(CROSS)nm
PYTHON := python3
UAPI_FROM ?= /usr/aarch64-linux-gnu/include

ARCH_DIR := arch/arm64
SRC_DIRS := $(ARCH_DIR) kernel mm fs drivers net
SRCS := $(sort $(foreach d,$(SRC_DIRS),$(wildcard $(d)/*.c $(d)/*.S $(d)/*/*.c $(d)/*/*.S $(d)/*/*/*.c)))
SRCS := $(filter-out $(ARCH_DIR)/vdso/%,$(SRCS))
OBJS := $(patsubst %,$(B)/obj/%.o,$(basename $(SRCS)))
GEN_OBJS := $(B)/obj/gen/syscall_table.o
FDT_OBJS := $(patsubst %,$(B)/obj/libfdt/%.o,fdt fdt_ro fdt_wip fdt_strerror fdt_addresses)
ZLIB_OBJS := $(patsubst %,$(B)/obj/zlib/%.o,inflate inftrees inffast adler32 crc32 zutil)
VDSO_SO := $(B)/vdso/vdso.so
ALL_OBJS := $(OBJS) $(GEN_OBJS) $(FDT_OBJS) $(ZLIB_OBJS)

GCC_INCLUDE := $(shell $(CC) -print-file-name=include)
INCLUDES := -nostdinc -isystem $(GCC_INCLUDE) -I. -I$(ARCH_DIR)/include -I$(B)/gen -Ibuild/uapi
WARN := -Wall -Wextra -Werror
CFLAGS := -std=gnu11 $(WARN) -O2 -g -ffreestanding $(INCLUDES) -mgeneral-regs-only -mno-outline-atomics -march=armv8-a \
	-fno-strict-aliasing -fno-common -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-unwind-tables \
	-ffunction-sections -fdata-sections -fPIE -fvisibility=hidden -fno-delete-null-pointer-checks -fwrapv \
	-ffile-prefix-map=$(CURDIR)=. -include kernel/lib/visibility.h $(if $(BENCH),-DCONFIG_BENCH=1)
ifdef DEBUG
KASAN_FLAGS := -fsanitize=kernel-address -fasan-shadow-offset=0xdfffc00000000000 --param asan-instrumentation-with-call-threshold=0 \
	--param asan-stack=0 --param asan-globals=0
UBSAN_FLAGS := -fsanitize=shift,bounds,object-size,return,unreachable,bool,enum,alignment -fno-sanitize=alignment
CFLAGS += -Wno-array-bounds -DCONFIG_DEBUG=1 -fno-optimize-sibling-calls
SAN_FLAGS = $(KASAN_FLAGS) $(UBSAN_FLAGS) -fstack-protector-strong -mstack-protector-guard=global
# Code that runs before the shadow is mapped, or is the sanitizer itself.
NO_SAN := arch/arm64/% kernel/lib/string kernel/debug/% kernel/kasan kernel/ubsan kernel/percpu mm/slab
san_for = $(if $(filter $(NO_SAN),$(1)),-fno-stack-protector,$(SAN_FLAGS))
else
CFLAGS += -fno-stack-protector
san_for =
endif
LDFLAGS := -pie -static --no-dynamic-linker -z norelro -z notext -z max-page-size=4096 -Bsymbolic --gc-sections --build-id=none \
	--orphan-handling=warn -X

.PHONY: all objs help clean
all: $(B)/Image

objs: $(ALL_OBJS)

help:
	@sed -n 's/^# *\(make .*\)/\1/p' Makefile

# --- generated -------------------------------------------------------------------------------------------------------------------
build/uapi/.done:
	@mkdir -p build/uapi
	cp -r $(UAPI_FROM)/linux $(UAPI_FROM)/asm $(UAPI_FROM)/asm-generic build/uapi/
	@touch $@

GEN := $(B)/gen/.done
$(GEN): kernel/syscall/syscalls.tbl scripts/gen-syscalls
	@mkdir -p $(B)/gen $(B)/obj
	$(PYTHON) scripts/gen-syscalls kernel/syscall/syscalls.tbl $(B)/gen
	@touch $@

$(B)/gen/syscall_table.c: $(GEN)

# --- objects ---------------------------------------------------------------------------------------------------------------------
$(B)/obj/gen/syscall_table.o: $(B)/gen/syscall_table.c build/uapi/.done
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

$(B)/obj/%.o: %.c build/uapi/.done $(GEN) Makefile
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(CFLAGS) $(call san_for,$*) -MMD -MP -c $< -o $@

$(B)/obj/%.o: %.S build/uapi/.done $(GEN) Makefile
	@mkdir -p $(@D)
	@echo "  AS      $<"
	@$(CC) $(CFLAGS) -D__ASSEMBLY__ -MMD -MP -c $< -o $@

$(B)/obj/drivers/base/% $(B)/obj/fs/initramfs.o $(B)/obj/kernel/main.o $(B)/obj/arch/arm64/%: CFLAGS += -Ikernel/lib/shim -isystem $(THIRD)/libfdt -isystem $(THIRD)/zlib

THIRD_CFLAGS = $(filter-out $(WARN),$(CFLAGS)) -w -isystem kernel/lib/shim
$(B)/obj/libfdt/%.o: $(THIRD)/libfdt/%.c build/uapi/.done
	@mkdir -p $(@D)
	@$(CC) $(THIRD_CFLAGS) -I$(THIRD)/libfdt -c $< -o $@

$(B)/obj/zlib/%.o: $(THIRD)/zlib/%.c build/uapi/.done
	@mkdir -p $(@D)
	@$(CC) $(THIRD_CFLAGS) -DZ_SOLO -DNO_GZIP -I$(THIRD)/zlib -c $< -o $@

$(THIRD)/libfdt/%.c $(THIRD)/zlib/%.c:
	$(error $@ is missing: run scripts/deps)

# --- vDSO ------------------------------------------------------------------------------------------------------------------------
ifneq ($(wildcard $(ARCH_DIR)/vdso/vdso.lds),)
VDSO_SRCS := $(wildcard $(ARCH_DIR)/vdso/*.c $(ARCH_DIR)/vdso/*.S)
$(VDSO_SO): $(VDSO_SRCS) $(ARCH_DIR)/vdso/vdso.lds build/uapi/.done
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -ffreestanding $(INCLUDES) -mgeneral-regs-only -fPIC -fno-stack-protector -fno-asynchronous-unwind-tables \
		-shared -nostdlib -Wl,-T,$(ARCH_DIR)/vdso/vdso.lds -Wl,-soname,linux-vdso.so.1 -Wl,--hash-style=both -Wl,--build-id=none \
		-Wl,-z,max-page-size=4096 -Wl,--no-undefined $(VDSO_SRCS) -o $@.dbg
	$(OBJCOPY) -S $@.dbg $@
$(B)/obj/$(ARCH_DIR)/vdso_image.o: $(VDSO_SO)
$(B)/obj/$(ARCH_DIR)/vdso_image.o: CFLAGS += -DVDSO_FILE='"$(VDSO_SO)"'
endif

# --- the kernel: linked twice, so that the symbol table inside it knows the final addresses -----------------------------------------
LDS := $(ARCH_DIR)/kernel.lds
LINK = $(LD) $(LDFLAGS) -T $(LDS) $(ALL_OBJS)
$(B)/obj/ksyms0.o: scripts/gen-symbols
	@mkdir -p $(@D)
	$(PYTHON) scripts/gen-symbols --empty > $(B)/obj/ksyms0.S
	$(CC) -c $(B)/obj/ksyms0.S -o $@

$(B)/sarsen.elf: $(ALL_OBJS) $(B)/obj/ksyms0.o $(LDS) scripts/gen-symbols
	$(LINK) $(B)/obj/ksyms0.o -o $(B)/obj/pass1.elf
	$(NM) -n $(B)/obj/pass1.elf | $(PYTHON) scripts/gen-symbols > $(B)/obj/ksyms1.S
	$(CC) -c $(B)/obj/ksyms1.S -o $(B)/obj/ksyms1.o
	$(LINK) $(B)/obj/ksyms1.o -o $(B)/obj/pass2.elf
	$(NM) -n $(B)/obj/pass2.elf | $(PYTHON) scripts/gen-symbols > $(B)/obj/ksyms2.S
	$(CC) -c $(B)/obj/ksyms2.S -o $(B)/obj/ksyms2.o
	$(LINK) $(B)/obj/ksyms2.o -o $@

$(B)/Image: $(B)/sarsen.elf
	$(OBJCOPY) -O binary $< $@

-include scripts/targets.mk

-include tests/tests.mk

clean:
	rm -rf build/debug build/obj build/gen build/Image build/sarsen.elf build/vdso build/uapi

-include $(ALL_OBJS:.o=.d)
