/* Terminals, by a pseudo-terminal: the line discipline and job control. */
#include "tap.h"
#include <termios.h>

static int master;
static char slave_name[32];

static int pty(void)
{
	int n, zero = 0, s;
	master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	CHECK(master >= 0);
	CHECK(ioctl(master, TIOCGPTN, &n) == 0);
	CHECK(ioctl(master, TIOCSPTLCK, &zero) == 0);
	snprintf(slave_name, sizeof(slave_name), "/dev/pts/%d", n);
	s = open(slave_name, O_RDWR | O_NOCTTY);
	CHECK(s >= 0);
	return s;
}

static void modes(int fd, tcflag_t clear, tcflag_t set)
{
	struct termios t;
	CHECK(tcgetattr(fd, &t) == 0);
	t.c_lflag = (t.c_lflag & ~clear) | set;
	CHECK(tcsetattr(fd, TCSANOW, &t) == 0);
}

#define SEND(str) CHECK_EQ(write(master, str, sizeof(str) - 1), sizeof(str) - 1)
#define GETS(fd, want) do { char b_[256] = ""; ssize_t n_ = read(fd, b_, 255); \
	if (n_ != (ssize_t)sizeof(want) - 1 || memcmp(b_, want, n_ < 0 ? 0 : n_)) { \
		printf("# %d: got %zd bytes:", __LINE__, n_); for (ssize_t i_ = 0; i_ < n_; i_++) printf(" %02x", b_[i_] & 255); \
		printf("\n"); CHECK(!"what was wanted: " want); } } while (0)

TEST(defaults_and_lock)
{
	struct termios t;
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), n;
	CHECK(m >= 0 && ioctl(m, TIOCGPTN, &n) == 0);
	snprintf(slave_name, sizeof(slave_name), "/dev/pts/%d", n);
	CHECK_ERR(open(slave_name, O_RDWR | O_NOCTTY), EIO);	/* locked */
	int zero = 0;
	CHECK(ioctl(m, TIOCSPTLCK, &zero) == 0);
	int s = open(slave_name, O_RDWR | O_NOCTTY);
	CHECK(s >= 0 && isatty(s));
	CHECK(tcgetattr(s, &t) == 0);
	CHECK((t.c_lflag & (ICANON | ECHO | ISIG | IEXTEN)) == (ICANON | ECHO | ISIG | IEXTEN));
	CHECK((t.c_iflag & (ICRNL | IXON)) == (ICRNL | IXON));
	CHECK((t.c_oflag & (OPOST | ONLCR)) == (OPOST | ONLCR));
	CHECK_EQ(t.c_cflag, B38400 | CS8 | CREAD);		/* there is no line to hang up */
	CHECK(t.c_cc[VINTR] == 3 && t.c_cc[VERASE] == 127 && t.c_cc[VEOF] == 4 && t.c_cc[VKILL] == 21 && t.c_cc[VSUSP] == 26);
	struct stat st;
	CHECK(fstat(s, &st) == 0 && S_ISCHR(st.st_mode) && (st.st_rdev >> 8) == 136);
}

TEST(canonical_lines)
{
	int s = pty();
	modes(s, ECHO, 0);
	SEND("ab");
	struct pollfd f = { s, POLLIN, 0 };
	CHECK_EQ(poll(&f, 1, 0), 0);
	SEND("c\rsecond\n");
	CHECK_EQ(poll(&f, 1, 20000), 1);
	GETS(s, "abc\n");
	char b[4] = "";
	CHECK_EQ(read(s, b, 3), 3);
	CHECK(!strcmp(b, "sec"));
	GETS(s, "ond\n");
	int n;
	SEND("four\n");
	CHECK_EQ(poll(&f, 1, 20000), 1);
	CHECK(ioctl(s, FIONREAD, &n) == 0 && n == 5);
	GETS(s, "four\n");
}

TEST(editing)
{
	int s = pty();
	modes(s, ECHO, 0);
	SEND("abX\177c\n");		GETS(s, "abc\n");
	SEND("wrong\025right\n");	GETS(s, "right\n");
	SEND("one two\027three\n");	GETS(s, "one three\n");
	SEND("\026\003lit\n");		GETS(s, "\003lit\n");
	SEND("part\004");		GETS(s, "part");
	SEND("\004");
	char c;
	CHECK_EQ(read(s, &c, 1), 0);	/* end of file */
	SEND("\177\177\177x\n");	GETS(s, "x\n");
}

TEST(echo)
{
	int s = pty();
	SEND("hi\r");
	GETS(master, "hi\r\n");
	GETS(s, "hi\n");
	SEND("a\177");
	GETS(master, "a\b \b");
	SEND("\001");
	GETS(master, "^A");
	SEND("\025");
	modes(s, ECHO, 0);
	char b[64];
	fcntl(master, F_SETFL, O_NONBLOCK);
	while (read(master, b, 64) > 0) ;
	SEND("quiet\n");
	CHECK_ERR(read(master, b, 64), EAGAIN);
	GETS(s, "quiet\n");
	modes(s, 0, ECHONL);
	SEND("nl\n");
	sleep_ms(5);
	GETS(master, "\r\n");
}

/* A key that sends a signal drops what waits to go out, and only then is it echoed. */
TEST(signal_keys_are_echoed)
{
	int s = pty();
	SEND("\003");
	GETS(master, "^C");
	SEND("\032");
	GETS(master, "^Z");
	modes(s, 0, NOFLSH);
	SEND("\034");
	GETS(master, "^\\");
}

TEST(output_processing)
{
	int s = pty();
	struct termios t;
	CHECK_EQ(write(s, "a\nb", 3), 3);
	GETS(master, "a\r\nb");
	CHECK(tcgetattr(s, &t) == 0);
	t.c_oflag &= ~OPOST;
	CHECK(tcsetattr(s, TCSADRAIN, &t) == 0);
	CHECK_EQ(write(s, "a\nb", 3), 3);
	GETS(master, "a\nb");
}

TEST(raw_vmin_vtime)
{
	int s = pty();
	struct termios t;
	char b[16];
	CHECK(tcgetattr(s, &t) == 0);
	cfmakeraw(&t);
	t.c_cc[VMIN] = 0; t.c_cc[VTIME] = 0;
	CHECK(tcsetattr(s, TCSANOW, &t) == 0);
	CHECK_EQ(read(s, b, 16), 0);
	SEND("\003x\r");
	GETS(s, "\003x\r");
	t.c_cc[VTIME] = 1;
	CHECK(tcsetattr(s, TCSANOW, &t) == 0);
	CHECK_EQ(read(s, b, 16), 0);	/* after a tenth of a second */
	t.c_cc[VMIN] = 3; t.c_cc[VTIME] = 0;
	CHECK(tcsetattr(s, TCSANOW, &t) == 0);
	pid_t me = getpid(), pid = fork();
	if (pid == 0) {
		SEND("12");
		wait_state(me, 'S');
		SEND("345");
		_exit(0);
	}
	ssize_t n = read(s, b, 16);
	CHECK(n >= 3);
	wait_status(pid);
	CHECK(EXITED(0, 0));
}

TEST(window_size_signals)
{
	int s = pty();
	struct winsize w = { 24, 80, 0, 0 }, got;
	CHECK(ioctl(master, TIOCSWINSZ, &w) == 0);
	CHECK(ioctl(s, TIOCGWINSZ, &got) == 0 && got.ws_row == 24 && got.ws_col == 80);
}

/* A session on the slave: a leader with a foreground job, judged by its exit status. */
static void on_int(int s) { _exit(s == SIGINT ? 40 : s == SIGQUIT ? 41 : s == SIGTSTP ? 42 : s == SIGWINCH ? 43 : s == SIGHUP ? 44 : 45); }

static pid_t session(int s, void (*body)(int))
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		close(master);
		setsid();
		if (ioctl(s, TIOCSCTTY, 0)) _exit(99);
		body(s);
		_exit(0);
	}
	return pid;
}

static int ready[2];
static void wait_for_key(int s)
{
	(void)s;
	int sigs[] = { SIGINT, SIGQUIT, SIGWINCH, SIGHUP };
	for (int i = 0; i < 4; i++) signal(sigs[i], on_int);
	write(ready[1], "r", 1);
	for (;;) pause();
}

static int key_gives(int byte)
{
	char c = byte;
	int s = pty();
	CHECK(pipe(ready) == 0);
	pid_t pid = session(s, wait_for_key);
	CHECK_EQ(read(ready[0], &c, 1), 1);
	c = byte;
	if (byte >= 0) CHECK_EQ(write(master, &c, 1), 1);
	else if (byte == -1) { struct winsize w = { 1, 2, 0, 0 }; CHECK(ioctl(master, TIOCSWINSZ, &w) == 0); }
	else { close(s); close(master); }
	int st = wait_status(pid);
	CHECK(WIFEXITED(st));
	return WEXITSTATUS(st);
}

TEST(control_c) { CHECK_EQ(key_gives(3), 40); }
TEST(control_backslash) { CHECK_EQ(key_gives(28), 41); }
TEST(resize_gives_sigwinch) { CHECK_EQ(key_gives(-1), 43); }
TEST(closing_the_master_hangs_up) { CHECK_EQ(key_gives(-2), 44); }

/* A server of terminals leads a session and keeps them at arm's length (tmux): they become its controlling terminal only where it lets them. */
static void lead(void)
{
	CHECK(setsid() == getpid());
	int s = pty();
	CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
	CHECK_EQ(fcntl(s, F_GETFL) & O_NOCTTY, 0);
	CHECK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY) >= 0);
	CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
	CHECK(ioctl(master, TIOCGPTPEER, O_RDWR) >= 0);
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY);
	CHECK(tty >= 0 && tcgetsid(tty) == getpid());
	CHECK_EQ(fcntl(tty, F_GETFL) & O_NOCTTY, 0);
	signal(SIGHUP, SIG_IGN);	/* it is lost at the end */
	_exit(7);
}

TEST(a_leader_gets_no_terminal_unasked)
{
	pid_t pid = fork();
	if (pid == 0)
		lead();
	CHECK(EXITED(wait_status(pid), 7));
}

TEST(slave_after_hangup)
{
	int s = pty();
	char c;
	close(master);
	CHECK_EQ(read(s, &c, 1), 0);
	CHECK_ERR(write(s, "x", 1), EIO);
	struct pollfd f = { s, POLLIN, 0 };
	CHECK(poll(&f, 1, 0) == 1 && (f.revents & POLLHUP));
}

TEST(master_after_slave_closed)
{
	int s = pty();
	char b[8];
	CHECK_EQ(write(s, "bye", 3), 3);
	close(s);
	GETS(master, "bye");
	CHECK_ERR(read(master, b, 8), EIO);
	struct pollfd f = { master, POLLIN, 0 };
	CHECK(poll(&f, 1, 0) == 1 && (f.revents & POLLHUP));
}

static void control_z(int s)
{
	(void)s;
	pid_t job = fork();
	if (job == 0) {
		setpgid(0, 0);
		write(ready[1], "r", 1);
		for (;;) pause();
	}
	setpgid(job, job);
	signal(SIGTTOU, SIG_IGN);
	if (tcsetpgrp(s, job)) _exit(90);
	write(ready[1], "f", 1);
	int st;
	if (waitpid(job, &st, WUNTRACED) != job || !WIFSTOPPED(st) || WSTOPSIG(st) != SIGTSTP) _exit(91);
	if (tcsetpgrp(s, getpgrp()) || tcgetpgrp(s) != getpgrp()) _exit(92);
	kill(-job, SIGKILL);
	waitpid(job, &st, 0);
	_exit(50);
}

TEST(control_z_stops_the_foreground_job)
{
	char c;
	int s = pty();
	CHECK(pipe(ready) == 0);
	pid_t pid = session(s, control_z);
	CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_EQ(read(ready[0], &c, 1), 1);
	SEND("\032");
	CHECK_EQ(WEXITSTATUS(wait_status(pid)), 50);
}

static void background(int s)
{
	struct termios t;
	int st;
	tcgetattr(s, &t);
	/* A background reader gets SIGTTIN. */
	pid_t job = fork();
	if (job == 0) { setpgid(0, 0); char c; read(s, &c, 1); _exit(0); }
	setpgid(job, job);
	if (waitpid(job, &st, WUNTRACED) != job || !WIFSTOPPED(st) || WSTOPSIG(st) != SIGTTIN) _exit(80);
	kill(job, SIGKILL); waitpid(job, &st, 0);
	/* A background writer only under TOSTOP. */
	job = fork();
	if (job == 0) { setpgid(0, 0); write(s, "x", 1); _exit(7); }
	setpgid(job, job);
	if (waitpid(job, &st, WUNTRACED) != job || !EXITED(st, 7)) _exit(81);
	t.c_lflag |= TOSTOP;
	tcsetattr(s, TCSANOW, &t);
	job = fork();
	if (job == 0) { setpgid(0, 0); while (getpgrp() != getpid()) ; write(s, "x", 1); _exit(7); }
	setpgid(job, job);
	if (waitpid(job, &st, WUNTRACED) != job || !WIFSTOPPED(st) || WSTOPSIG(st) != SIGTTOU) _exit(82);
	kill(job, SIGKILL); waitpid(job, &st, 0);
	/* A background tcsetpgrp always. */
	job = fork();
	if (job == 0) { setpgid(0, 0); tcsetpgrp(s, getpgrp()); _exit(7); }
	setpgid(job, job);
	if (waitpid(job, &st, WUNTRACED) != job || !WIFSTOPPED(st) || WSTOPSIG(st) != SIGTTOU) _exit(83);
	kill(job, SIGKILL); waitpid(job, &st, 0);
	/* Ignored or blocked SIGTTIN: EIO. */
	job = fork();
	if (job == 0) { setpgid(0, 0); signal(SIGTTIN, SIG_IGN); char c; _exit(read(s, &c, 1) == -1 && errno == EIO ? 8 : 9); }
	setpgid(job, job);
	if (waitpid(job, &st, WUNTRACED) != job || !EXITED(st, 8)) _exit(84);
	int fd = open("/dev/tty", O_RDWR);
	if (fd < 0 || !isatty(fd)) _exit(85);
	if (tcgetsid(fd) != getpid()) _exit(86);
	_exit(51);
}

TEST(background_jobs)
{
	int s = pty();
	pid_t pid = session(s, background);
	CHECK_EQ(WEXITSTATUS(wait_status(pid)), 51);
}

TEST(tcsetpgrp_errors)
{
	int s = pty();
	CHECK_ERR(tcsetpgrp(s, getpgrp()), ENOTTY);
	CHECK_ERR(ioctl(s, TIOCSPGRP + 0x5000, 0), ENOTTY);
	int p[2];
	pipe(p);
	CHECK(!isatty(p[0]));
}

TEST(flow_control)
{
	int s = pty();
	char b[8];
	modes(s, ECHO, 0);
	SEND("\023");
	fcntl(s, F_SETFL, O_NONBLOCK);
	sleep_ms(5);
	CHECK_ERR(write(s, "held", 4), EAGAIN);
	SEND("\021");
	sleep_ms(5);
	CHECK_EQ(write(s, "go", 2), 2);
	GETS(master, "go");
	(void)b;
	CHECK(tcflow(s, TCOOFF) == 0);
	CHECK_ERR(write(s, "x", 1), EAGAIN);
	CHECK(tcflow(s, TCOON) == 0);
}

TEST(flush)
{
	int s = pty();
	modes(s, ECHO, 0);
	SEND("lost\n");
	struct pollfd f = { s, POLLIN, 0 };
	CHECK_EQ(poll(&f, 1, 20000), 1);
	CHECK(tcflush(s, TCIFLUSH) == 0);
	CHECK_EQ(poll(&f, 1, 0), 0);
	SEND("kept\n");
	GETS(s, "kept\n");
}

TEST(locked_settings)
{
	struct termios t, was;
	struct { unsigned iflag, oflag, cflag, lflag; unsigned char line, cc[19]; } lock = { 0 }, got;
	int s = pty();
	CHECK_ERR(ioctl(s, TIOCGLCKTRMIOS, NULL), EFAULT);
	CHECK_EQ(ioctl(s, TIOCGLCKTRMIOS, &got), 0);
	CHECK(memcmp(&got, &lock, sizeof(lock)) == 0);
	lock.iflag = IXON;
	lock.lflag = ECHO | ISIG;
	lock.cflag = CSIZE;
	lock.cc[VINTR] = 1;
	CHECK_ERR(ioctl(s, TIOCSLCKTRMIOS, NULL), EFAULT);
	CHECK_EQ(ioctl(master, TIOCSLCKTRMIOS, &lock), 0);	/* means the slave, as all settings do */
	CHECK_EQ(ioctl(s, TIOCGLCKTRMIOS, &got), 0);
	CHECK(memcmp(&got, &lock, sizeof(lock)) == 0);
	CHECK_EQ(tcgetattr(s, &was), 0);
	t = was;
	t.c_iflag &= ~(IXON | ICRNL);
	t.c_lflag &= ~(ECHO | ISIG | ICANON);
	t.c_cflag = (t.c_cflag & ~CSIZE) | CS7 | PARENB;
	t.c_cc[VINTR] = 7;
	t.c_cc[VQUIT] = 8;
	CHECK_EQ(tcsetattr(s, TCSANOW, &t), 0);
	CHECK_EQ(tcgetattr(s, &t), 0);
	CHECK_EQ(t.c_iflag, was.c_iflag & ~ICRNL);
	CHECK_EQ(t.c_lflag, was.c_lflag & ~ICANON);
	CHECK_EQ(t.c_cflag & CSIZE, was.c_cflag & CSIZE);
	CHECK_EQ(t.c_cc[VINTR], 3);
	CHECK_EQ(t.c_cc[VQUIT], 8);
	/* another open, once all others are closed: locked still */
	CHECK_EQ(close(s), 0);
	CHECK((s = open(slave_name, O_RDWR | O_NOCTTY)) >= 0);
	CHECK_EQ(ioctl(s, TIOCGLCKTRMIOS, &got), 0);
	CHECK(memcmp(&got, &lock, sizeof(lock)) == 0);
	memset(&lock, 0, sizeof(lock));
	pid_t pid = fork();
	if (!pid) {
		CHECK_EQ(setuid(65534), 0);
		CHECK_EQ(ioctl(s, TIOCGLCKTRMIOS, &got), 0);
		CHECK_ERR(ioctl(s, TIOCSLCKTRMIOS, &lock), EPERM);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(ioctl(s, TIOCSLCKTRMIOS, &lock), 0);
	t.c_lflag &= ~ECHO;
	CHECK_EQ(tcsetattr(s, TCSANOW, &t), 0);
	CHECK_EQ(tcgetattr(s, &t), 0);
	CHECK(!(t.c_lflag & ECHO));
}

TEST(many_ptys)
{
	int m[20];
	for (int i = 0; i < 20; i++) { pty(); m[i] = master; }
	for (int i = 0; i < 20; i++) close(m[i]);
	pty();
}
