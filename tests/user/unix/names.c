/* Names of AF_UNIX sockets. */
#include "sock.h"

TEST(a_path_is_a_node)
{
	struct stat st;
	scratch();
	umask(027);
	int s = bound(SOCK_STREAM, "s");
	CHECK(lstat("s", &st) == 0);
	CHECK_EQ(st.st_mode, S_IFSOCK | 0750);
	CHECK_ERR(open("s", O_RDWR), ENXIO);
	close(s);
	CHECK(lstat("s", &st) == 0);
	CHECK_ERR(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&(struct sockaddr_un){ AF_UNIX, "s" }, 4), EADDRINUSE);
	CHECK(unlink("s") == 0);
	s = bound(SOCK_STREAM, "s");
	close(s);
}

TEST(fchmod_before_bind)
{
	struct stat st;
	scratch();
	umask(0);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(fchmod(s, 0640) == 0);
	CHECK(bind(s, (void *)&(struct sockaddr_un){ AF_UNIX, "m" }, 4) == 0);
	CHECK(stat("m", &st) == 0);
	CHECK_EQ(st.st_mode & 07777, 0640);
}

TEST(bind_errors)
{
	struct sockaddr_un a;
	scratch();
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t len = un(&a, "x");
	CHECK_ERR(bind(s, (void *)&a, 1), EINVAL);
	CHECK_ERR(bind(s, (void *)&a, 111), EINVAL);
	CHECK_ERR(bind(s, (void *)&a, 129), EINVAL);
	CHECK_ERR(bind(s, (void *)&a, -1), EINVAL);
	CHECK_ERR(bind(s, (void *)1, len), EFAULT);
	a.sun_family = AF_INET;
	CHECK_ERR(bind(s, (void *)&a, len), EINVAL);
	len = un(&a, "no/dir");
	CHECK_ERR(bind(s, (void *)&a, len), ENOENT);
	write_file("f", "");
	len = un(&a, "f");
	CHECK_ERR(bind(s, (void *)&a, len), EADDRINUSE);
	len = un(&a, "f/x");
	CHECK_ERR(bind(s, (void *)&a, len), ENOTDIR);
	len = un(&a, "y/");
	CHECK_ERR(bind(s, (void *)&a, len), ENOENT);
	len = un(&a, ".");
	CHECK_ERR(bind(s, (void *)&a, len), EADDRINUSE);
	CHECK_ERR(bind(1 << 20, (void *)&a, len), EBADF);
	CHECK_ERR(bind(0, (void *)&a, len), ENOTSOCK);
	len = un(&a, "ok");
	CHECK(bind(s, (void *)&a, len) == 0);
	len = un(&a, "again");
	CHECK_ERR(bind(s, (void *)&a, len), EINVAL);
	CHECK_ERR(access("again", F_OK), ENOENT);
	len = un(&a, "@again");
	CHECK_ERR(bind(s, (void *)&a, len), EINVAL);
}

TEST(the_longest_path)
{
	struct sockaddr_un a;
	char long_name[sizeof(a.sun_path) + 1];
	socklen_t len = sizeof(a) + 16;
	char room[sizeof(a) + 16];
	scratch();
	memset(long_name, 'n', sizeof(long_name));
	a.sun_family = AF_UNIX;
	memcpy(a.sun_path, long_name, sizeof(a.sun_path));
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(bind(s, (void *)&a, sizeof(a)) == 0);
	CHECK(getsockname(s, (void *)room, &len) == 0);
	CHECK_EQ(len, 111);
	long_name[sizeof(a.sun_path)] = 0;
	CHECK(access(long_name, F_OK) == 0);
}

TEST(a_path_ends_at_its_nul)
{
	struct sockaddr_un a;
	socklen_t len;
	scratch();
	un(&a, "cut");
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(bind(s, (void *)&a, sizeof(a)) == 0);
	len = sizeof(a);
	CHECK(getsockname(s, (void *)&a, &len) == 0);
	CHECK_EQ(len, 6);
	int t = socket(AF_UNIX, SOCK_DGRAM, 0);
	a.sun_path[1] = 'V';
	CHECK(bind(t, (void *)&a, 5) == 0);
	CHECK(access("cVt", F_OK) == 0);
}

TEST(unlink_and_rename_while_bound)
{
	char b;
	scratch();
	int s = bound(SOCK_DGRAM, "a"), c = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(try_connect(c, "a") == 0);
	CHECK(rename("a", "b") == 0);
	CHECK(try_connect(c, "b") == 0);
	CHECK(link("b", "c") == 0);
	CHECK(symlink("c", "d") == 0);
	CHECK(try_connect(c, "d") == 0);
	CHECK_EQ(send(c, "x", 1, 0), 1);
	CHECK_EQ(recv(s, &b, 1, 0), 1);
	CHECK(unlink("b") == 0);
	CHECK(unlink("c") == 0);
	CHECK_ERR(try_connect(c, "b"), ENOENT);
	CHECK_EQ(send(c, "x", 1, 0), 1);
	CHECK_EQ(recv(s, &b, 1, 0), 1);
	int t = bound(SOCK_DGRAM, "b");
	CHECK(try_connect(c, "b") == 0);
	CHECK_EQ(send(c, "y", 1, 0), 1);
	CHECK_EQ(recv(t, &b, 1, 0), 1);
	CHECK_ERR(recv(s, &b, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(connecting_needs_write_permission)
{
	scratch();
	int s = listening(SOCK_STREAM, "p", 5), c;
	CHECK(chmod("p", 0555) == 0);
	pid_t pid = fork();
	if (!pid) {
		if (setgid(1000) || setuid(1000)) _exit(2);
		c = socket(AF_UNIX, SOCK_STREAM, 0);
		if (try_connect(c, "p") != -1 || errno != EACCES) _exit(1);
		_exit(7);
	}
	CHECK(EXITED(wait_status(pid), 7));
	CHECK(chmod("p", 0222) == 0);
	pid = fork();
	if (!pid) {
		if (setgid(1000) || setuid(1000)) _exit(2);
		c = socket(AF_UNIX, SOCK_STREAM, 0);
		_exit(try_connect(c, "p") ? 1 : 7);
	}
	CHECK(EXITED(wait_status(pid), 7));
	close(s);
}

TEST(binding_needs_the_directory)
{
	scratch();
	CHECK(mkdir("d", 0755) == 0);
	pid_t pid = fork();
	if (!pid) {
		struct sockaddr_un a;
		socklen_t len = un(&a, "d/s");
		if (setgid(1000) || setuid(1000)) _exit(2);
		_exit(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, len) == -1 && errno == EACCES ? 7 : 1);
	}
	CHECK(EXITED(wait_status(pid), 7));
}

TEST(abstract_names)
{
	struct sockaddr_un a;
	socklen_t len = un(&a, "@name");
	int s = bound(SOCK_STREAM, "@name"), t = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERR(bind(t, (void *)&a, len), EADDRINUSE);
	int d = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(bind(d, (void *)&a, len) == 0);		/* a space of names for each type */
	a.sun_path[5] = 0;
	CHECK(bind(t, (void *)&a, len + 1) == 0);	/* all bytes count */
	close(s);
	s = bound(SOCK_STREAM, "@name");
	len = sizeof(a);
	CHECK(getsockname(s, (void *)&a, &len) == 0);
	CHECK_EQ(len, 7);
	CHECK(!memcmp(a.sun_path, "\0name", 5));
	CHECK_ERR(access("name", F_OK), ENOENT);
}

TEST(abstract_name_goes_with_the_last_descriptor)
{
	struct sockaddr_un a;
	socklen_t len = un(&a, "@held");
	int s = bound(SOCK_DGRAM, "@held"), d = dup(s), t = socket(AF_UNIX, SOCK_DGRAM, 0);
	close(s);
	CHECK_ERR(bind(t, (void *)&a, len), EADDRINUSE);
	close(d);
	CHECK(bind(t, (void *)&a, len) == 0);
}

TEST(autobind)
{
	struct sockaddr_un a, b;
	socklen_t len = sizeof(a);
	int s = socket(AF_UNIX, SOCK_DGRAM, 0), t = socket(AF_UNIX, SOCK_DGRAM, 0);
	a.sun_family = AF_UNIX;
	CHECK(bind(s, (void *)&a, 2) == 0);
	CHECK(getsockname(s, (void *)&a, &len) == 0);
	CHECK_EQ(len, 8);
	CHECK_EQ(a.sun_path[0], 0);
	for (int i = 1; i < 6; i++) CHECK(strchr("0123456789abcdef", a.sun_path[i]));
	CHECK(bind(s, (void *)&a, 2) == 0);	/* again: nothing to do */
	CHECK(bind(t, (void *)&a, 2) == 0);
	len = sizeof(b);
	CHECK(getsockname(t, (void *)&b, &len) == 0);
	CHECK(memcmp(&a, &b, len));
	CHECK(connect(t, (void *)&a, 8) == 0);
}

TEST(passcred_autobinds)
{
	struct sockaddr_un a;
	socklen_t len = sizeof(a);
	int l = listening(SOCK_STREAM, "@pca", 5), s = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(set_int(s, SO_PASSCRED, 1) == 0);
	CHECK(try_connect(s, "@pca") == 0);
	CHECK(getsockname(s, (void *)&a, &len) == 0);
	CHECK_EQ(len, 8);
	close(l);
}

static bool listed(const char *name, char *out)
{
	static char text[65536];
	CHECK(read_file("/proc/net/unix", text, sizeof(text)) > 0);
	for (char *l = strtok(text, "\n"); l; l = strtok(NULL, "\n")) {
		char *p = strrchr(l, ' ');
		if (p && !strcmp(p + 1, name)) {
			strcpy(out, l);
			return true;
		}
	}
	return false;
}

TEST(proc_net_unix)
{
	char line[256], path[128], cwd[64];
	unsigned long ino;
	unsigned refs, proto, flags, type, state;
	struct stat st;
	scratch();
	CHECK(getcwd(cwd, sizeof(cwd)));
	snprintf(path, sizeof(path), "%s/l", cwd);
	int l = listening(SOCK_STREAM, path, 5), a = bound(SOCK_DGRAM, "@in-proc");
	CHECK(fstat(l, &st) == 0);
	CHECK(listed(path, line));
	CHECK_EQ(sscanf(line, "%*[0-9a-f]: %x %x %x %x %x %lu", &refs, &proto, &flags, &type, &state, &ino), 6);
	CHECK_EQ(proto, 0);
	CHECK_EQ(flags, 0x10000);
	CHECK_EQ(type, 1);
	CHECK_EQ(state, 1);
	CHECK_EQ(ino, st.st_ino);
	CHECK(listed("@in-proc", line));
	CHECK_EQ(sscanf(line, "%*[0-9a-f]: %x %x %x %x %x %lu", &refs, &proto, &flags, &type, &state, &ino), 6);
	CHECK_EQ(type, 2);
	CHECK_EQ(flags, 0);
	close(a);
	CHECK(!listed("@in-proc", line));
	int c = connected(SOCK_STREAM, path), n = accept(l, NULL, NULL);
	CHECK(fstat(n, &st) == 0);
	CHECK(listed(path, line));
	close(c);
}

TEST(proc_net_unix_has_linux_columns)
{
	char text[65536], *nl;
	CHECK(read_file("/proc/net/unix", text, sizeof(text)) > 0);
	CHECK((nl = strchr(text, '\n')));
	*nl = 0;
	printf("# %s\n# %.80s\n", text, nl + 1);
	CHECK(!strcmp(text, "Num       RefCount Protocol Flags    Type St Inode Path"));
}
