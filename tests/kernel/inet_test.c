/* Sockets of the internet families: what needs the network core's lock, and what must not wait for it. */
#include <fs/iov.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/ktest.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/wait.h>
#include <kernel/time/time.h>
#include <linux/eventpoll.h>
#include <linux/if.h>
#include <linux/in.h>
#include <net/inet/engine.h>
#include <net/netdev.h>
#include <net/socket.h>
#include <tests/kernel/runner.h>

#define WORDS "what has arrived"
#define SURE_NS (10 * NSEC_PER_SEC)

static int lo_up(bool up)
{
	int err;

	mutex_lock(&net_config_lock);
	err = netdev_set_flags(loopback_dev, up ? IFF_UP : 0, IFF_UP);
	mutex_unlock(&net_config_lock);
	return err;
}

static ssize_t move(struct socket *s, bool send, void *bytes, size_t len, struct sockaddr_any *to)
{
	struct iov_seg seg = { (u64)bytes, len };
	struct iov_iter it = { .kernel = true, .nr = 1, .segs = &seg, .count = len };
	struct message m = { .name = to, .name_len = to ? sizeof(struct sockaddr_in) : 0, .flags = MSG_DONTWAIT, .iter = &it };

	return (send ? s->ops->send : s->ops->receive)(s, &m);
}

/* Another holds the core's lock until we have read; or until it is sure that we wait for it, and then we have failed. */
static struct holder { struct completion held, ended; struct wait_queue wq; bool over, late; } holder;

static void hold(void *arg)
{
	struct holder *h = arg;

	net_core_lock();
	complete(&h->held);
	h->late = wait_event_timeout(&h->wq, atomic_load(&h->over), clock_mono_ns() + SURE_NS) != 0;
	net_core_unlock();
	complete(&h->ended);
	kthread_exit();
}

static bool hold_core(void)
{
	completion_init(&holder.held);
	completion_init(&holder.ended);
	wait_queue_init(&holder.wq);
	atomic_store(&holder.over, false);
	if (!kthread_create(hold, &holder, "holder"))
		return false;
	wait_for_completion(&holder.held);
	return true;
}

static bool let_core_go(void)
{
	atomic_store(&holder.over, true);
	wake_up_all(&holder.wq);
	wait_for_completion(&holder.ended);
	return !holder.late;
}

/* While the core is locked the words are seen and read; those of a stream in two parts. */
static bool told_while_locked(struct socket *s)
{
	char got[sizeof(WORDS)];
	u32 before, after;
	ssize_t n, rest;

	if (!hold_core())
		return false;
	before = s->ops->poll(s, NULL, NULL);
	n = move(s, false, got, s->type == SOCK_STREAM ? 4 : sizeof(got), NULL);
	rest = s->type == SOCK_STREAM && n == 4 ? move(s, false, got + 4, sizeof(got), NULL) : 0;
	after = s->ops->poll(s, NULL, NULL);
	return let_core_go() && (before & EPOLLIN) && n + rest == sizeof(WORDS) && !memcmp(got, WORDS, sizeof(WORDS)) && !(after & EPOLLIN);
}

static struct sockaddr_any here(struct socket *s)
{
	const struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { .s_addr = 0x0100007f } };
	struct sockaddr_any name = { 0 };

	memcpy(&name, &in, sizeof(in));
	if (s->ops->bind(s, &name, sizeof(in)) || s->ops->name(s, &name, false) != sizeof(in))
		name.family = AF_UNSPEC;
	return name;
}

static bool datagram_told(struct socket *s)
{
	struct sockaddr_any name = here(s);
	char words[] = WORDS;

	return name.family == AF_INET && move(s, true, words, sizeof(words), &name) == sizeof(words) && told_while_locked(s);
}

KTEST(inet, datagrams_are_read_without_the_core)
{
	struct socket *s;
	bool told;

	EXPECT_EQ(lo_up(true), 0);
	EXPECT_EQ(socket_create(AF_INET, SOCK_DGRAM, 0, &s), 0);
	told = datagram_told(s);
	s->ops->release(s);
	EXPECT_EQ(lo_up(false), 0);
	EXPECT(told);
}

/* from, to: of one connection over lo. */
static bool connected(struct socket *listener, struct socket *from, struct socket **to)
{
	struct sockaddr_any name = here(listener);

	return name.family == AF_INET && !listener->ops->listen(listener, 1) &&
		!from->ops->connect(from, &name, sizeof(struct sockaddr_in), 0) && !listener->ops->accept(listener, to, 0);
}

KTEST(inet, streams_are_read_without_the_core)
{
	struct socket *s[3] = { NULL };
	char words[] = WORDS;
	bool told = false;

	EXPECT_EQ(lo_up(true), 0);
	if (!socket_create(AF_INET, SOCK_STREAM, 0, &s[0]) && !socket_create(AF_INET, SOCK_STREAM, 0, &s[1]) && connected(s[0], s[1], &s[2]))
		told = move(s[1], true, words, sizeof(words), NULL) == sizeof(words) && told_while_locked(s[2]);
	for (u32 i = 0; i < ARRAY_SIZE(s); i++)
		if (s[i])
			s[i]->ops->release(s[i]);
	EXPECT_EQ(lo_up(false), 0);
	EXPECT(told);
}
