#!/bin/bash
# Compile tests/disk into OUT/root and pack OUT/disk.cpio:  build.sh OUT
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
third=${THIRD:-$here/../../build/third}
mkdir -p "$1/root/disk-tests"
out=$(cd "$1" && pwd)
cc=${MUSL_GCC:-$(ls "$third"/musl/bin/musl-gcc "$third"/musl/bin/*-musl-gcc 2>/dev/null | head -n 1 || true)}
[ -n "$cc" ] || { echo "tests/disk: no musl-gcc under $third (run make deps, or set MUSL_GCC)" >&2; exit 1; }
exec 9> "$out/lock"
flock 9		# scripts that run side by side build once
for source in "$here"/*.c; do
	name=$(basename "$source" .c) target=$out/root/disk-tests/$(basename "$source" .c)
	[ "$name" = init ] && target=$out/root/init
	[ "$target" -nt "$source" ] && [ "$target" -nt "$here/disk.h" ] && continue
	"$cc" -std=gnu11 -O2 -Wall -Wextra -static -fno-pie -no-pie -mno-outline-atomics -fno-stack-protector -s -o "$target" "$source" -lpthread
done
(cd "$out/root" && find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0 > ../disk.cpio.$$ && mv ../disk.cpio.$$ ../disk.cpio)
