/* The kernel command line: words separated by blanks, double quotes keep blanks together.  A word "name" or "name=value" is given to
 * the BOOT_PARAM entries of that name ('-' and '_' are the same, as on Linux); what nobody takes goes to init: a name=value to its
 * environment, a bare word to its arguments, everything after "--" to its arguments.  Words with a dot are module parameters on
 * Linux; they are dropped silently, as it does when no such module comes. */
#include <kernel/initcall.h>
#include <kernel/lib/string.h>
#include <kernel/params.h>
#include <kernel/printk.h>

char boot_cmdline[CMDLINE_SIZE];
char *init_argv[INIT_WORDS_MAX + 2];
char *init_envp[INIT_WORDS_MAX + 4] = { "HOME=/", "TERM=linux" };
static char words[CMDLINE_SIZE];
static u32 nr_args = 1, nr_env = 2;

static bool name_equal(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && !((*a == '-' || *a == '_') && (*b == '-' || *b == '_')))
			return false;
	return *a == *b;
}

static void to_init(char *name, char *value)
{
	size_t len = strlen(name);

	if (!value) {
		if (nr_args <= INIT_WORDS_MAX)
			init_argv[nr_args++] = name;
		return;
	}
	value[-1] = '=';
	for (u32 i = 0; i < nr_env; i++)
		if (!strncmp(init_envp[i], name, len + 1)) {
			init_envp[i] = name;
			return;
		}
	if (nr_env < INIT_WORDS_MAX + 2)
		init_envp[nr_env++] = name;
}

static void dispatch(char *name, char *value)
{
	bool taken = false;

	for (const struct boot_param *p = __boot_params_start; p < __boot_params_end; p++)
		if (name_equal(name, p->name)) {
			p->fn(value);
			taken = true;
		}
	if (!taken && !strchr(name, '.'))
		to_init(name, value);
}

/* next_word - cut the next word off *s, quotes removed; NULL at the end. */
static char *next_word(char **s)
{
	char *in = *s, *out, *start;
	bool quoted = false;

	while (is_space(*in))
		in++;
	if (!*in)
		return NULL;
	start = out = in;
	for (; *in && (quoted || !is_space(*in)); in++) {
		if (*in == '"')
			quoted = !quoted;
		else
			*out++ = *in;
	}
	*s = *in ? in + 1 : in;
	*out = '\0';
	return start;
}

void params_parse(const char *cmdline)
{
	char *s = words, *word, *value;
	bool rest = false;

	strlcpy(boot_cmdline, cmdline, sizeof(boot_cmdline));
	strlcpy(words, cmdline, sizeof(words));
	while ((word = next_word(&s))) {
		if (!rest && !strcmp(word, "--")) {
			rest = true;
			continue;
		}
		if (rest) {
			to_init(word, NULL);
			continue;
		}
		value = strchr(word, '=');
		if (value)
			*value++ = '\0';
		dispatch(word, value);
	}
}

const char *param_value(const char *cmdline, const char *name, size_t *len)
{
	const char *found = NULL, *s = cmdline;
	size_t n = strlen(name);

	*len = 0;
	while (*s) {
		const char *end = s;

		while (*end && !is_space(*end))
			end++;
		if (end - s == 2 && s[0] == '-' && s[1] == '-')
			break;
		if ((size_t)(end - s) >= n && !strncmp(s, name, n) && ((size_t)(end - s) == n || s[n] == '=')) {
			found = s + n + (s[n] == '=');
			*len = (size_t)(end - found);
		}
		s = end;
		while (is_space(*s))
			s++;
	}
	return found;
}
