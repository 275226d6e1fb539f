# Sourced by each suite's run: `unit_program NAME FILE...` builds tests/unit/SUITE/NAME_test.c with the kernel's FILEs (no suffix), the
# stubs and the host part, and runs it.  CC= another compiler (gcc, clang); DEFS= more flags; ONLY=NAME that program alone.
set -e
suite=$(basename "$(cd "$(dirname "$0")" && pwd)")
cd "$(dirname "$0")/../../.."
cc=${CC:-gcc}
THIRD=${THIRD:-build/third}
out=build/unit/$suite; mkdir -p "$out"
status=0
[ -e build/uapi/.done ] && [ -e build/gen/.done ] || make build/uapi/.done build/gen/.done > /dev/null
san="-fsanitize=address,undefined -fno-sanitize=alignment,null -fno-omit-frame-pointer -g -O1"
case $cc in
*clang*) globals="-mllvm -asan-globals=0 -Wno-unknown-attributes -Wno-gnu-variable-sized-type-not-at-end";;
*) globals="--param asan-globals=0";;
esac
inc="-nostdinc -isystem $($cc -print-file-name=include) -Itests/unit/stub -I. -Iarch/arm64/include -Ibuild/gen -Ibuild/uapi -Ikernel/abi/shim"
# char is unsigned, as on arm64
kflags="-std=gnu11 -ffreestanding -fno-builtin -fno-strict-aliasing -fwrapv -funsigned-char -fno-common -ffunction-sections -fdata-sections -Wall
	-Wno-unused-function -Wno-format-security -DCONFIG_UNIT=1"

# The kernel's string functions get names of their own: everything else uses libc's, which the sanitizer watches.
strings="memmove memset memcmp memchr strlen strnlen strcmp strncmp strcasecmp strchr strrchr strstr strsep"

# fresh OBJECT COMMAND: it was made by that command and is newer than all that it was made of.
fresh() {
	[ -e "$1.cmd" ] && [ "$(cat "$1.cmd")" = "$2" ] || return 1
	for _d in $(sed 's/^[^:]*://; s/\\$//' "${1%.o}.d"); do [ -e "$_d" ] && [ "$1" -nt "$_d" ] || return 1; done
}

unit_object() {	# source object flags...
	_src=$1 _obj=$2; shift 2
	case $_src in *kernel/lib/string) for _n in $strings; do set -- "$@" "-D$_n=k_$_n"; done;; esac
	case $_src in */libfdt/*|*/zlib/*) set -- "$@" -w -isystem kernel/lib/shim -DZ_SOLO -DNO_GZIP;; esac
	set -- $cc $kflags $san $globals $inc -MMD -MP "$@" -c "$_src.c" -o "$_obj"
	fresh "$_obj" "$*" && return
	"$@"
	echo "$*" > "$_obj.cmd"
}

unit_program() {
	_name=$1; shift
	[ -z "$ONLY" ] || [ "$ONLY" = "$_name" ] || return 0
	mkdir -p "$out/$_name"; _objs=
	for _f in "$@" "tests/unit/$suite/${_name%%-*}_test" tests/unit/stubs; do
		_o=$out/$_name/$(echo "$_f" | tr / _).o
		unit_object "$_f" "$_o" $DEFS
		_objs="$_objs $_o"
	done
	$cc $san $globals -c tests/unit/host.c -o "$out/host.o"
	$cc $san -Wl,--gc-sections -Wl,-T,tests/unit/sections.ld $_objs "$out/host.o" -o "$out/$_name/program"
	echo "# $suite/$_name"
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "$out/$_name/program" || status=1
}
