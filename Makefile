# Sarsen.  `make help` lists the targets.  Variables of the build: DEBUG=1 (into build/debug), RACE=1 (build/race), V=1 (whole commands), THIRD= (third-party
# results, default build/third), CROSS=; of `make run`: SMP= MEM= DISK= NET= APPEND= GDB=1.
#
# make              build/Image and build/sarsen.elf (DEBUG=1: the same in build/debug/), compile_commands.json
# make clean        remove what was built, but not build/third
# make help         this list
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

B := build$(if $(DEBUG),/debug)$(if $(RACE),/race)
$(if $(and $(DEBUG),$(RACE)),$(error DEBUG=1 and RACE=1 are two builds: both sanitizers would call before each access))
THIRD ?= build/third
CROSS ?= aarch64-linux-gnu-
CC := $(CROSS)gcc
LD := $(CROSS)ld
OBJCOPY := $(CROSS)objcopy
NM := $(CROSS)nm
PYTHON := python3
Q := $(if $(V),,@)
say = @printf '  %-7s %s\n' $(1) $(2)
UAPI_FROM ?= /usr/aarch64-linux-gnu/include

ARCH_DIR := arch/arm64
SRC_DIRS := $(ARCH_DIR) kernel mm fs drivers net
SRCS := $(sort $(foreach d,$(SRC_DIRS),$(wildcard $(d)/*.c $(d)/*.S $(d)/*/*.c $(d)/*/*.S $(d)/*/*/*.c)))
SRCS := $(filter-out $(ARCH_DIR)/vdso/%,$(SRCS))
OBJS := $(patsubst %,$(B)/obj/%.o,$(basename $(SRCS)))
GEN_OBJS := $(B)/obj/gen/syscall_table.o
FDT_OBJS := $(patsubst %,$(B)/obj/libfdt/%.o,fdt fdt_ro fdt_wip fdt_strerror fdt_addresses)
ZLIB_OBJS := $(patsubst %,$(B)/obj/zlib/%.o,inflate inftrees inffast adler32 crc32 zutil)
# lwIP with one patch for many connections (net/inet/lwipopts.h says what of it): only what is used is linked.
LWIP := build/lwip
LWIP_OBJS := $(patsubst %,$(B)/obj/lwip/%.o,$(addprefix core/,def inet_chksum init ip mem memp netif pbuf raw stats tcp tcp_in tcp_out timeouts) \
	$(addprefix core/ipv4/,etharp icmp igmp ip4 ip4_addr ip4_frag) $(addprefix core/ipv6/,ethip6 icmp6 inet6 ip6 ip6_addr ip6_frag mld6 nd6) netif/ethernet)
VDSO_SO := $(B)/vdso/vdso.so
# In-kernel tests: inside the debug and race builds; of the release build in an image of their own, build/ktest/Image, with the same objects.
KTEST_OBJS := $(patsubst %.c,$(B)/obj/%.o,$(sort $(wildcard tests/kernel/*.c)))
ALL_OBJS := $(OBJS) $(GEN_OBJS) $(FDT_OBJS) $(ZLIB_OBJS) $(LWIP_OBJS)

GCC_INCLUDE := $(shell $(CC) -print-file-name=include 2>/dev/null)
INCLUDES := -nostdinc -isystem $(GCC_INCLUDE) -I. -I$(ARCH_DIR)/include -I$(B)/gen -Ibuild/uapi -Ikernel/abi/shim
WARN := -Wall -Wextra -Werror
CFLAGS := -std=gnu11 $(WARN) -O2 -g -ffreestanding $(INCLUDES) -mgeneral-regs-only -ffixed-x18 -mno-outline-atomics -march=armv8-a \
	-fno-strict-aliasing -fno-common -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-unwind-tables \
	-ffunction-sections -fdata-sections -fPIE -fvisibility=hidden -fno-delete-null-pointer-checks -fwrapv \
	-ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(abspath $(THIRD))=third -include kernel/lib/visibility.h $(if $(BENCH),-DCONFIG_BENCH=1)
# Canaries (kernel/stackguard.c), but for code that runs before relocation.
NO_GUARD := arch/arm64/kaslr
guard_for = $(if $(filter $(NO_GUARD),$(1)),-fno-stack-protector,-fstack-protector-strong -mstack-protector-guard=global)
ifdef DEBUG
KASAN_FLAGS := -fsanitize=kernel-address -fasan-shadow-offset=0xdfffc00000000000 --param asan-instrumentation-with-call-threshold=0 \
	--param asan-stack=0 --param asan-globals=0
UBSAN_FLAGS := -fsanitize=shift,bounds,object-size,return,unreachable,bool,enum,alignment -fno-sanitize=alignment
CFLAGS += -Wno-array-bounds -DCONFIG_DEBUG=1 -fno-optimize-sibling-calls
SAN_FLAGS = $(KASAN_FLAGS) $(UBSAN_FLAGS)
# Code that runs before the shadow is mapped, or is the sanitizer itself.
NO_SAN := arch/arm64/% kernel/lib/string kernel/debug/% kernel/kasan kernel/ubsan kernel/percpu mm/slab
san_for = $(if $(filter $(NO_SAN),$(1)),,$(SAN_FLAGS)) $(guard_for)
else ifdef RACE
# The data-race detector (kernel/debug/race.c): on top of the release build, whose ASSERTs are on; lock checks and poison are the debug build's.
CFLAGS += -DCONFIG_RACE=1 -fno-optimize-sibling-calls
RACE_FLAGS := -fsanitize=thread --param tsan-distinguish-volatile=1 --param tsan-instrument-func-entry-exit=0 -Wno-tsan
guard_for = -fno-stack-protector
# Code that runs before there is a stack to speak of or changes it, the detector, and what the detector calls.
NO_RACE := arch/arm64/kaslr arch/arm64/context kernel/debug/race% kernel/symbols kernel/percpu
san_for = $(if $(filter $(NO_RACE),$(1)),,$(RACE_FLAGS)) $(guard_for)
else
san_for = $(guard_for)
endif
LDFLAGS := -pie -static --no-dynamic-linker -z norelro -z notext -z max-page-size=4096 -Bsymbolic --gc-sections --build-id=none \
	--orphan-handling=warn -X

.PHONY: all objs help clean
all: $(B)/Image compile_commands.json

objs: $(ALL_OBJS)

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile scripts/targets.mk tests/tests.mk

# --- generated -------------------------------------------------------------------------------------------------------------------
build/uapi/.done:
	$(call say,UAPI,$(@D))
	@mkdir -p build/uapi
	$(Q)cp -r $(UAPI_FROM)/linux $(UAPI_FROM)/asm $(UAPI_FROM)/asm-generic build/uapi/
	@touch $@

# The generator leaves alone what would not change; objects know through their dependency files which of these they include.
GEN := $(B)/gen/.done
GEN_FILES := $(addprefix $(B)/gen/,syscall_protos.h syscall_kinds.h syscall_table.c syscalls.json)
$(GEN): kernel/syscall/syscalls.tbl scripts/gen-syscalls | build/uapi/.done
	$(call say,GEN,$(@D))
	@mkdir -p $(B)/gen $(B)/obj
	$(Q)$(PYTHON) scripts/gen-syscalls kernel/syscall/syscalls.tbl $(B)/gen build/uapi/asm-generic/unistd.h
	@touch $@
$(GEN_FILES): $(GEN) ;

# --- objects ---------------------------------------------------------------------------------------------------------------------
# Each compilation leaves its command beside its object; compile_commands.json is their list.
json = $(subst ",\",$(subst \,\\,$(1)))
# (The folder is made here because make expands a whole recipe, $(file) included, before it runs the first line.)
note_command = $(shell mkdir -p $(@D))$(file >$@.json,{ "directory": "$(CURDIR)", "file": "$(call json,$<)", "command": "$(call json,$(strip $(1)))" })

compile = $(CC) $(CFLAGS) $(call san_for,$*) -MMD -MP -c $< -o $@
assemble = $(CC) $(CFLAGS) -D__ASSEMBLY__ -MMD -MP -c $< -o $@

$(B)/obj/gen/syscall_table.o: $(B)/gen/syscall_table.c Makefile | build/uapi/.done
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

$(B)/obj/%.o: %.c Makefile | build/uapi/.done $(GEN)
	$(call say,CC,$<)
	$(call note_command,$(compile))
	$(Q)$(compile)

$(B)/obj/%.o: %.S Makefile | build/uapi/.done $(GEN)
	$(call say,AS,$<)
	$(call note_command,$(assemble))
	$(Q)$(assemble)

compile_commands.json: $(OBJS)
	$(call say,GEN,$@)
	$(file >$(B)/obj/commands,$(addsuffix .json,$^))
	$(Q)$(PYTHON) scripts/gen-compile-commands < $(B)/obj/commands > $@

$(B)/obj/drivers/base/% $(B)/obj/fs/initramfs.o $(B)/obj/kernel/main.o $(B)/obj/arch/arm64/%: CFLAGS += -Ikernel/lib/shim -isystem $(THIRD)/libfdt -isystem $(THIRD)/zlib

$(B)/obj/net/inet/%: CFLAGS += -Inet/inet -isystem $(LWIP)/include -Wno-address
$(filter $(B)/obj/net/%,$(OBJS)): $(LWIP)/.patched

THIRD_CFLAGS = $(filter-out $(WARN),$(CFLAGS)) -w -isystem kernel/lib/shim
$(B)/obj/libfdt/%.o: $(THIRD)/libfdt/%.c Makefile | build/uapi/.done
	$(call say,CC,libfdt/$*.c)
	@mkdir -p $(@D)
	$(Q)$(CC) $(THIRD_CFLAGS) -fno-stack-protector -I$(THIRD)/libfdt -c $< -o $@

$(B)/obj/zlib/%.o: $(THIRD)/zlib/%.c Makefile | build/uapi/.done
	$(call say,CC,zlib/$*.c)
	@mkdir -p $(@D)
	$(Q)$(CC) $(THIRD_CFLAGS) $(guard_for) -DZ_SOLO -DNO_GZIP -I$(THIRD)/zlib -c $< -o $@

# The sanitizers watch it too: what comes from the wire goes through it first.
$(B)/obj/lwip/%.o: $(LWIP)/.patched Makefile | build/uapi/.done
	$(call say,CC,lwip/$*.c)
	@mkdir -p $(@D)
	$(Q)$(CC) $(THIRD_CFLAGS) $(call san_for,lwip/$*) -Inet/inet -I$(LWIP)/include -MMD -MP -c $(LWIP)/$*.c -o $@

$(LWIP)/.patched: scripts/patch-lwip net/inet/patches/lwip.patch $(THIRD)/lwip/core/tcp.c
	$(call say,PATCH,$(LWIP))
	@mkdir -p build
	$(Q)scripts/patch-lwip $(THIRD)/lwip net/inet/patches/lwip.patch $(LWIP) && touch $@
$(LWIP)/%.c $(LWIP)/%.h: $(LWIP)/.patched ;

$(THIRD)/libfdt/%.c $(THIRD)/zlib/%.c $(THIRD)/lwip/%.c:
	$(error $@ is missing: run make deps)

# --- vDSO ------------------------------------------------------------------------------------------------------------------------
ifneq ($(wildcard $(ARCH_DIR)/vdso/vdso.lds),)
VDSO_SRCS := $(wildcard $(ARCH_DIR)/vdso/*.c $(ARCH_DIR)/vdso/*.S)
$(VDSO_SO): $(VDSO_SRCS) $(ARCH_DIR)/vdso/vdso.lds build/uapi/.done
	$(call say,VDSO,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -ffreestanding -ffile-prefix-map=$(CURDIR)=. $(INCLUDES) -mgeneral-regs-only -fPIC -fno-stack-protector -fno-asynchronous-unwind-tables \
		-shared -nostdlib -Wl,-T,$(ARCH_DIR)/vdso/vdso.lds -Wl,-soname,linux-vdso.so.1 -Wl,--hash-style=both -Wl,--build-id=none \
		-Wl,-z,max-page-size=4096 -Wl,--no-undefined $(VDSO_SRCS) -o $@.dbg
	$(Q)$(OBJCOPY) -S $@.dbg $@
$(B)/obj/$(ARCH_DIR)/vdso_image.o: $(VDSO_SO)
$(B)/obj/$(ARCH_DIR)/vdso_image.o: CFLAGS += -DVDSO_FILE='"$(VDSO_SO)"'
endif

# --- the kernel: linked twice, so that the symbol table inside it knows the final addresses -----------------------------------------
LDS := $(ARCH_DIR)/kernel.lds
IMAGE_OBJS := $(ALL_OBJS) $(if $(DEBUG)$(RACE),$(KTEST_OBJS))
# The objects stand in a file, so that the command fits on a line.  $(filter) leaves of the prerequisites what is linked.
note_objects = $(shell mkdir -p $(@D)/link)$(file >$(@D)/link/objects,$(filter-out $(B)/obj/ksyms%.o,$(filter %.o,$^)))
LINK = $(LD) $(LDFLAGS) -T $(LDS) @$(@D)/link/objects
# $(call symbols_of,ELF,N): ksymsN.o beside ELF, the tables of its functions and of what moves with it
define symbols_of
	$(Q)$(NM) -n $(1) | $(PYTHON) scripts/gen-symbols > $(dir $(1))ksyms$(2).S
	$(Q)$(PYTHON) scripts/gen-relocs $(1) >> $(dir $(1))ksyms$(2).S
	$(Q)$(CC) -c $(dir $(1))ksyms$(2).S -o $(dir $(1))ksyms$(2).o
endef

$(B)/obj/ksyms0.o: scripts/gen-symbols scripts/gen-relocs
	@mkdir -p $(@D)
	$(Q)$(PYTHON) scripts/gen-symbols --empty > $(B)/obj/ksyms0.S
	$(Q)$(PYTHON) scripts/gen-relocs --empty >> $(B)/obj/ksyms0.S
	$(Q)$(CC) -c $(B)/obj/ksyms0.S -o $@

$(B)/sarsen.elf: $(IMAGE_OBJS)
$(B)/ktest/sarsen.elf: $(ALL_OBJS) $(KTEST_OBJS)
$(B)/sarsen.elf $(B)/ktest/sarsen.elf: $(B)/obj/ksyms0.o $(LDS) scripts/gen-symbols scripts/gen-relocs
	$(call say,LD,$@)
	$(call note_objects)
	$(Q)$(LINK) $(B)/obj/ksyms0.o -o $(@D)/link/pass1.elf
	$(call symbols_of,$(@D)/link/pass1.elf,1)
	$(Q)$(LINK) $(@D)/link/ksyms1.o -o $(@D)/link/pass2.elf
	$(call symbols_of,$(@D)/link/pass2.elf,2)
	$(Q)$(LINK) $(@D)/link/ksyms2.o -o $@
	$(Q)$(PYTHON) scripts/gen-relocs --check $@

$(B)/Image $(B)/ktest/Image: %/Image: %/sarsen.elf
	$(call say,IMAGE,$@)
	$(Q)$(OBJCOPY) -O binary -R .rela.dyn $< $@

-include scripts/targets.mk

-include tests/tests.mk

clean:
	rm -rf build/debug build/race build/obj build/link build/ktest build/unit build/gen build/Image build/sarsen.elf build/vdso build/uapi build/test build/phases build/user-tests \
		build/initramfs.cpio.gz compile_commands.json

-include $(ALL_OBJS:.o=.d) $(KTEST_OBJS:.o=.d)
