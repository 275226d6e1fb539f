# make with a job server, made-up dependencies, included fragments, what is new and what not.
for i in $(seq 12); do echo "int f$i(void) { return $i; }" > f$i.c; done
{ echo 'int main(void) { return 0'; for i in $(seq 12); do echo "+ f$i()"; done; echo '- 36; }'; } | sed '1i int f1(), f2(), f3(), f4(), f5(), f6(), f7(), f8(), f9(), f10(), f11(), f12();' > main.c
cat > Makefile <<'X'
SRC := $(wildcard *.c)
prog: $(SRC:.c=.o)
	@$(CC) -o $@ $(sort $^)
%.o: %.c
	@$(CC) -MMD -c -o $@ $< && echo $@ >> order
-include $(SRC:.c=.d)
sub:
	@$(MAKE) --no-print-directory -s -f - inner <<< 'inner: ; @echo inner $(MAKELEVEL)'
fail: ; @exit 3
.PHONY: sub fail
X
make -j4 SHELL=/bin/bash; ./prog; echo "$?"; wc -l < order; make -q; echo "$?"; touch f3.c; make -n | grep -c -e -c; make -j4; wc -l < order; make SHELL=/bin/bash sub; make fail; echo "$?"; make -j8 -O clean; echo "$?"
