/* The pipe's ring against a plain queue of bytes, without blocking: order, atomic writes, room, ends, resizing, faults, no memory. */
#include <fs/pipe.c>
#include <tests/unit/mm/arena.h>
#include <tests/unit/unit.h>

static struct pipe *pipe;
static struct inode inode;
static struct file reader, writer;
static u32 sigpipes;

int signal_send_task(struct task *t, int sig, const siginfo_t *info) { (void)t; (void)info; sigpipes += sig == SIGPIPE; return 0; }
bool capable(int cap) { (void)cap; return false; }
void wait_queue_init(struct wait_queue *wq) { list_init(&wq->head); }
static u32 woken_readers, woken_writers;
void wake_up_key(struct wait_queue *wq, void *key) { (void)key; *(wq == &pipe->rd_wait ? &woken_readers : &woken_writers) += 1; }
void wake_up(struct wait_queue *wq) { wake_up_key(wq, NULL); }
void wake_up_all_key(struct wait_queue *wq, void *key) { wake_up_key(wq, key); }
void wake_up_key_sync(struct wait_queue *wq, void *key) { wake_up_key(wq, key); }
int wait_check(u32 state, u64 deadline) { (void)state; (void)deadline; return -ERESTARTSYS; }	/* as if a signal came */
void prepare_to_wait(struct wait_queue *wq, struct wait_entry *we, u32 state) { (void)wq; (void)we; (void)state; }
void finish_wait(struct wait_queue *wq, struct wait_entry *we) { (void)wq; (void)we; }
void wait_entry_init(struct wait_entry *we) { list_init(&we->link); }
void schedule(void) { host_die("asleep", __FILE__, __LINE__); }

/* User memory: the test's, readable up to user_end. */
static u64 user_end = ~0ul;
size_t user_copy_in(void *to, const void __user *from, size_t n)
{
	size_t ok = (u64)from >= user_end ? 0 : min(n, user_end - (u64)from);

	memcpy(to, from, ok);
	return n - ok;
}
size_t user_copy_out(void __user *to, const void *from, size_t n)
{
	size_t ok = (u64)to >= user_end ? 0 : min(n, user_end - (u64)to);

	memcpy(to, from, ok);
	return n - ok;
}
int user_put_4(void __user *p, u64 v) { return user_copy_out(p, &v, 4) ? -EFAULT : 0; }
void slab_init(void) { }
void vmalloc_init(void) { }
int copy_from_user_failed(void *to, size_t len, size_t left) { (void)to; (void)len; (void)left; return -EFAULT; }

/* What was written and not yet read; bytes are numbers in order. */
static u64 written, readb;
static u8 buf[300000];
static u8 byte_at(u64 n) { return (u8)(n * 7 + n / 251); }

static ssize_t write_bytes(size_t len, bool user)
{
	struct iov_seg seg;
	struct iov_iter it;
	ssize_t n;

	for (size_t i = 0; i < len; i++)
		buf[i] = byte_at(written + i);
	if (user)
		iov_iter_user(&it, &seg, buf, len);
	else
		iov_iter_kernel(&it, &seg, buf, len);
	n = pipe_write(&writer, &it, NULL);
	if (n > 0)
		written += (u64)n;
	return n;
}

static ssize_t read_bytes(size_t len)
{
	struct iov_seg seg;
	struct iov_iter it;
	ssize_t n;

	memset(buf, 0xee, len + 1);
	iov_iter_kernel(&it, &seg, buf, len);
	n = pipe_read(&reader, &it, NULL);
	for (ssize_t i = 0; i < n; i++)
		if (buf[i] != byte_at(readb + (u64)i))
			return -1000;
	if (n > 0)
		readb += (u64)n;
	return buf[n > 0 ? n : 0] == 0xee ? n : -1001;
}

static void fresh(void)
{
	static bool once;

	if (!once)
		arena_init();
	once = true;
	if (pipe)
		pipe_destroy(pipe);
	pipe = pipe_create();
	pipe->readers = pipe->writers = 1;
	pipe->files = 2;
	reader = (struct file){ .private = pipe, .inode = &inode, .flags = O_NONBLOCK, .mode = FMODE_READ, .ops = &pipe_fops };
	writer = (struct file){ .private = pipe, .inode = &inode, .flags = O_NONBLOCK, .mode = FMODE_WRITE, .ops = &pipe_fops };
	written = readb = 0;
	sigpipes = woken_readers = woken_writers = 0;
}

TEST(small_messages)
{
	fresh();
	EXPECT_EQ(read_bytes(10), -EAGAIN);
	EXPECT_EQ(write_bytes(0, false), 0);
	EXPECT_EQ(write_bytes(5, false), 5);
	EXPECT_EQ(write_bytes(7, true), 7);
	EXPECT_EQ(pipe->head - pipe->tail, 1);		/* in one page */
	EXPECT(read_bytes(3) == 3 && read_bytes(0) == 0 && read_bytes(100) == 9 && read_bytes(1) == -EAGAIN);
	EXPECT(pipe->spare);				/* the next message allocates nothing */
	unit_fail_after = 0;
	EXPECT_EQ(write_bytes(5, false), 5);
	unit_fail_after = ~0ull;
	EXPECT_EQ(read_bytes(5), 5);
}

TEST(capacity)
{
	fresh();
	EXPECT_EQ(write_bytes(100000, false), 65536);
	EXPECT_EQ(write_bytes(1, false), -EAGAIN);
	EXPECT_EQ(read_bytes(4095), 4095);
	EXPECT_EQ(write_bytes(1, false), -EAGAIN);	/* no page is free yet */
	EXPECT_EQ(read_bytes(1), 1);
	EXPECT_EQ(write_bytes(5000, false), 4096);
	EXPECT_EQ(read_bytes(100000), 65536);
	EXPECT_EQ(read_bytes(1), -EAGAIN);
}

TEST(random_against_the_numbers)
{
	fresh();
	for (u32 step = 0; step < 40000; step++) {
		size_t len = unit_below(3) ? unit_below(300) : unit_below(3) ? unit_below(9000) : unit_below(80000);
		u64 held = written - readb;

		if (unit_below(2)) {
			ssize_t n = write_bytes(len, unit_below(2));

			if (n < 0)
				EXPECT(n == -EAGAIN && pipe->head - pipe->tail == pipe->size && len);
			else
				EXPECT(n == (ssize_t)len || (len > PIPE_BUF && pipe_full(pipe)));	/* whole, if it is short */
		} else {
			EXPECT_EQ(read_bytes(len), !len ? 0 : held ? (s64)min(held, len) : -EAGAIN);
		}
		EXPECT(written - readb <= pipe->size * PAGE_SIZE && pipe->head - pipe->tail <= pipe->size);
		EXPECT((written == readb) == pipe_empty(pipe));
		if (unit_below(500) == 0) {
			u64 want = PAGE_SIZE << unit_below(6);
			long got = pipe_set_size(&writer, want);

			EXPECT(got == -EBUSY ? (pipe->head - pipe->tail) * PAGE_SIZE > want : got == (long)want && pipe_get_size(&reader) == got);
		}
	}
}

TEST(ends)
{
	fresh();
	EXPECT_EQ(write_bytes(10, false), 10);
	pipe->writers = 0;
	EXPECT(read_bytes(4) == 4 && read_bytes(100) == 6 && read_bytes(100) == 0);	/* the rest, then the end */
	pipe->writers = 1;
	pipe->readers = 0;
	EXPECT(write_bytes(10, false) == -EPIPE && sigpipes == 1);
	EXPECT(write_bytes(0, false) == 0 && sigpipes == 1);
	pipe->readers = 1;
	writer.flags = reader.flags = 0;		/* blocking: the signal that wait_check tells of */
	EXPECT_EQ(read_bytes(1), -ERESTARTSYS);
	EXPECT_EQ(write_bytes(70000, false), 65536);	/* what went in counts */
	EXPECT_EQ(write_bytes(1, false), -ERESTARTSYS);
}

TEST(waking)
{
	struct wait_entry we, we2;

	fresh();
	list_init(&we.link);
	list_init(&we2.link);
	list_add(&we.link, &pipe->rd_wait.head);
	list_add(&we2.link, &pipe->wr_wait.head);
	write_bytes(1, false);
	EXPECT(woken_readers > 0);
	write_bytes(70000, false);
	woken_writers = 0;
	read_bytes(100);
	EXPECT_EQ(woken_writers, 0);			/* still full */
	read_bytes(4096);
	EXPECT(woken_writers > 0);
	woken_readers = 0;
	EXPECT(write_bytes(0, false) == 0 && woken_readers == 0);
}

/* Who was woken and takes nothing, his memory being unmapped or a signal waiting, leaves it to the next. */
TEST(passing_on)
{
	struct wait_entry we, we2;
	struct iov_seg seg;
	struct iov_iter it;

	fresh();
	list_init(&we.link);
	list_init(&we2.link);
	list_add(&we.link, &pipe->rd_wait.head);
	list_add(&we2.link, &pipe->wr_wait.head);
	EXPECT_EQ(write_bytes(10, true), 10);
	woken_readers = woken_writers = 0;
	user_end = (u64)buf;
	iov_iter_user(&it, &seg, buf, 20);
	EXPECT(pipe_read(&reader, &it, NULL) == -EFAULT && woken_readers == 1);
	EXPECT(write_bytes(20, true) == -EFAULT && woken_writers == 1);
	user_end = ~0ul;
	EXPECT_EQ(read_bytes(10), 10);
	reader.flags = writer.flags = 0;
	woken_readers = woken_writers = 0;
	EXPECT(read_bytes(1) == -ERESTARTSYS && woken_readers == 1);
	EXPECT_EQ(write_bytes(65536, false), 65536);
	woken_writers = 0;
	EXPECT(write_bytes(1, false) == -ERESTARTSYS && woken_writers == 1);
}

TEST(faults)
{
	struct iov_seg seg;
	struct iov_iter it;

	fresh();
	user_end = (u64)buf + 10;
	EXPECT(write_bytes(20, true) == 10 && pipe->head == 1);
	user_end = (u64)buf;
	EXPECT(write_bytes(20, true) == -EFAULT && pipe->head == 1);
	user_end = ~0ul;
	EXPECT_EQ(write_bytes(10, true), 10);
	user_end = (u64)buf + 5;
	iov_iter_user(&it, &seg, buf, 20);
	EXPECT_EQ(pipe_read(&reader, &it, NULL), 5);
	readb += 5;
	user_end = (u64)buf;
	iov_iter_user(&it, &seg, buf, 20);
	EXPECT_EQ(pipe_read(&reader, &it, NULL), -EFAULT);
	user_end = ~0ul;
	EXPECT_EQ(read_bytes(100), 15);			/* nothing was lost */
}

TEST(no_memory_and_no_leak)
{
	u64 before, live;

	fresh();
	before = page_nr_free();
	live = host_live();
	for (u64 n = 0; n < 4; n++) {
		fresh();
		unit_fail_after = n;
		pipe_set_size(&writer, 32 * PAGE_SIZE);
		unit_fail_after = ~0ull;
		write_bytes(30000, false);
		EXPECT(read_bytes(30000) == 30000);
		write_bytes(9000, false);
	}
	EXPECT(pipe_set_size(&writer, 1ull << 32) == -EINVAL && pipe_set_size(&writer, 2 << 20) == -EPERM);
	EXPECT(pipe_set_size(&writer, 1) == -EBUSY && pipe_get_size(&writer) > 0);
	fresh();
	EXPECT_EQ(host_live(), live);
	EXPECT_EQ(page_nr_free(), before);
}
