/* CPU masks as text and back. */
#include <kernel/errno.h>
#include <kernel/lib/cpumask.h>
#include <kernel/lib/string.h>
#include <tests/unit/unit.h>

static bool shows(u64 mask, u32 nr, const char *hex, const char *list)
{
	char buf[256];
	u64 back;

	mask_format(mask, nr, buf, sizeof(buf));
	if (strcmp(buf, hex) || mask_parse(buf, nr, &back) || back != mask)
		return false;
	mask_list_format(mask, buf, sizeof(buf));
	return !strcmp(buf, list) && !mask_list_parse(buf, nr, &back) && back == mask;
}

TEST(both_forms)
{
	EXPECT(shows(1, 1, "1", "0"));
	EXPECT(shows(0xf, 4, "f", "0-3"));
	EXPECT(shows(0x5, 5, "05", "0,2"));
	EXPECT(shows(0, 4, "0", ""));
	EXPECT(shows(0xffffffff, 32, "ffffffff", "0-31"));
	EXPECT(shows(1ul << 33 | 1, 34, "2,00000001", "0,33"));
	EXPECT(shows(~0ul, 64, "ffffffff,ffffffff", "0-63"));
}

static int hex(const char *s) { u64 m; return mask_parse(s, 34, &m); }
static int list(const char *s) { u64 m; return mask_list_parse(s, 34, &m); }

TEST(what_is_no_mask)
{
	EXPECT(hex("") == -EINVAL && hex("g") == -EINVAL && hex("0x1") == -EINVAL && hex("1,") == -EINVAL && hex("1 2") == -EINVAL);
	EXPECT(hex("100000000") == -EOVERFLOW && hex("1,1,1") == -EOVERFLOW && hex(" 3\n") == 0 && hex("3,0") == 0 && hex("4,0") == -EOVERFLOW);
	EXPECT(list("x") == -EINVAL && list("3-1") == -EINVAL && list("1-") == -EINVAL && list("0-3:1") == -EINVAL && list("0-3:1/0") == -EINVAL);
	EXPECT(list("0-3:3/2") == -EINVAL && list("34") == -ERANGE && list("33") == 0 && list("99999999999") == -EOVERFLOW && list("-1") == -EINVAL);
}

TEST(lists_in_steps)
{
	u64 m;

	EXPECT(!mask_list_parse("0-7:1/2", 64, &m) && m == 0x55);
	EXPECT(!mask_list_parse("0-7:2/4,1\n", 64, &m) && m == 0x33);
	EXPECT(!mask_list_parse("all", 64, &m) && m == ~0ul);
	EXPECT(!mask_list_parse("", 64, &m) && m == 0);
}
