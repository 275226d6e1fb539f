/* Where the image goes.  Runs from head.S in the identity map, before relocation: no absolute pointers, no globals that need them. */
#include <libfdt.h>
#include <kernel/lib/types.h>

u64 boot_kaslr_offset(const void *fdt);

static bool has_word(const char *s, int len, const char *word, int word_len)
{
	for (int i = 0; i + word_len <= len; i++) {
		int j = 0;

		while (j < word_len && s[i + j] == word[j])
			j++;
		if (j == word_len && (i == 0 || s[i - 1] == ' ') && (s[i + j] == ' ' || s[i + j] == '\0'))
			return true;
	}
	return false;
}

/* The random base's distance from IMAGE_BASE: a multiple of 2 MiB below 512 GiB minus a gigabyte that the image may not cross. */
u64 boot_kaslr_offset(const void *fdt)
{
	const u8 *seed;
	const char *args;
	int len, node;
	u64 v = 0;

	if (!fdt || fdt_check_header(fdt))
		return 0;
	node = fdt_path_offset(fdt, "/chosen");
	if (node < 0)
		return 0;
	args = fdt_getprop(fdt, node, "bootargs", &len);
	if (args && len > 0 && has_word(args, len - 1, "nokaslr", 7))
		return 0;
	seed = fdt_getprop(fdt, node, "kaslr-seed", &len);
	if (!seed || len < 8)
		return 0;
	for (int i = 0; i < 8; i++)
		v = v << 8 | seed[i];
	v *= 0x9e3779b97f4a7c15ul;
	/* 256 GiB in steps of a gigabyte, then 256 MiB inside it in steps of 2 MiB: the image stays in one gigabyte */
	return (v >> 56) << 30 | (v >> 20 & 127) << 21;
}
