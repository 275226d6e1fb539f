/* One line of /proc/meminfo, or of a task's status, in kB; -1 if it is not there. */
#pragma once

static inline long field_kb(const char *path, const char *name)
{
	static char buf[8192];
	size_t n = strlen(name);

	if (read_file(path, buf, sizeof(buf)) <= 0)
		return -1;
	for (char *line = buf; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (!strncmp(line, name, n) && line[n] == ':')
			return atol(line + n + 1);
	return -1;
}

static inline long meminfo_kb(const char *name) { return field_kb("/proc/meminfo", name); }
