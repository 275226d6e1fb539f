/* /dev/net/tun: the program's end of a tun or tap device. */
#include <arch/uaccess.h>
#include <asm/fcntl.h>
#include <drivers/net/tun.h>
#include <fs/file.h>
#include <fs/iov.h>
#include <kernel/abi/socket.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/sched/sched.h>
#include <linux/eventpoll.h>
#include <linux/if_ether.h>
#include <linux/ioctl.h>
#include <linux/sockios.h>
#include <mm/slab.h>

#define FRAME_MAX	(65535u + ETH_HLEN)

/* One open file.  Its device is set once, by whoever comes first. */
struct tun_file { struct tun *tun; /* [a] */ };

/* NULL: none, or one that was deleted. */
static struct tun *device_of(struct file *f)
{
	struct tun *tun = atomic_load_acquire(&((struct tun_file *)f->private)->tun);

	return tun && !READ_ONCE(tun->dev.gone) ? tun : NULL;
}

/* --- reading: what the system sends */

static u32 fill_vnet(struct tun *tun, const struct packet *p, u8 *to)
{
	struct virtio_net_hdr h = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	u32 len = atomic_load(&tun->vnet_len);

	if (p->gso_size) {
		h.gso_type = p->gso_type;
		h.gso_size = p->gso_size;
		h.hdr_len = p->gso_header;
	}
	if (p->checksum == PACKET_SUM_PARTIAL) {
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.csum_start = p->csum_start;
		h.csum_offset = p->csum_offset;
	}
	memset(to, 0, len);
	memcpy(to, &h, sizeof(h));
	return len;
}

static u16 protocol_of(const struct tun *tun, const struct packet *p)
{
	u8 buf[ETH_HLEN] = { 0 };
	u16 v;

	packet_copy(p, 0, buf, sizeof(buf));
	if (tun->flags & IFF_TUN)
		return __builtin_bswap16(buf[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP);
	memcpy(&v, buf + 12, 2);
	return v;
}

#define HEADERS_MAX	64u

/* The whole of it, or as much as fits; the rest is lost. */
static ssize_t put_packet(struct tun *tun, struct packet *p, struct iov_iter *to)
{
	struct tun_pi_header pi = { 0 };
	u8 heads[HEADERS_MAX];
	size_t room = to->count, done = 0;
	u32 n = 0;

	if (!(tun->flags & IFF_NO_PI)) {
		pi.proto = protocol_of(tun, p);
		n = sizeof(pi);
	}
	if (tun->flags & IFF_VNET_HDR)
		n += fill_vnet(tun, p, heads + n);
	if (room < n)
		return -EINVAL;
	if (room < n + p->len)
		pi.flags |= TUN_PKT_STRIP;
	if (!(tun->flags & IFF_NO_PI))
		memcpy(heads, &pi, sizeof(pi));
	if (copy_to_iter(heads, n, to) != n)
		return -EFAULT;
	for (u32 i = 0; i < p->nr_pieces && to->count; i++) {
		size_t part = min_t(size_t, p->piece[i].len, to->count);

		if (copy_to_iter(p->piece[i].data, part, to) != part)
			return -EFAULT;
		done += part;
	}
	return (ssize_t)(n + done);
}

static bool next(struct tun *tun, struct packet **p) { return (*p = tun_next(tun)) != NULL; }

static ssize_t tun_read(struct file *f, struct iov_iter *to, u64 *pos)
{
	struct tun *tun = device_of(f);
	struct packet *p;
	ssize_t ret;
	int err;

	(void)pos;
	if (!tun)
		return -EBADFD;
	if (!next(tun, &p)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&tun->wq, next(tun, &p) || READ_ONCE(tun->dev.gone));
		if (err)
			return err;
		if (!p)
			return -EFAULT;		/* deleted meanwhile; as Linux says it */
	}
	netdev_count(&tun->dev, tx_packets, 1);
	netdev_count(&tun->dev, tx_bytes, p->len);
	ret = put_packet(tun, p, to);
	packet_put(p);
	return ret;
}

/* --- writing: what comes in */

static int take_heads(struct tun *tun, struct iov_iter *from, struct tun_pi_header *pi, struct virtio_net_hdr *h)
{
	u32 vnet = tun->flags & IFF_VNET_HDR ? atomic_load(&tun->vnet_len) : 0;

	memset(h, 0, sizeof(*h));
	memset(pi, 0, sizeof(*pi));
	if (!(tun->flags & IFF_NO_PI)) {
		if (from->count < sizeof(*pi))
			return -EINVAL;
		if (copy_from_iter(pi, sizeof(*pi), from) != sizeof(*pi))
			return -EFAULT;
	}
	if (!vnet)
		return 0;
	if (from->count < vnet)
		return -EINVAL;
	if (copy_from_iter(h, sizeof(*h), from) != sizeof(*h))
		return -EFAULT;
	iov_iter_advance(from, vnet - sizeof(*h));
	return h->hdr_len > from->count ? -EINVAL : 0;
}

static int offloads(struct packet *p, const struct virtio_net_hdr *h)
{
	if (h->flags & VIRTIO_NET_HDR_F_DATA_VALID)
		p->checksum = PACKET_SUM_GOOD;
	return packet_set_offloads(p, h) ? 0 : -EINVAL;
}

static int check_frame(const struct tun *tun, const struct packet *p, const struct tun_pi_header *pi)
{
	const u8 *data = p->piece[0].data;

	if (tun->flags & IFF_TAP)
		return p->len < ETH_HLEN ? -EINVAL : 0;
	if (!p->len || ((tun->flags & IFF_NO_PI) && data[0] >> 4 != 4 && data[0] >> 4 != 6))
		return -EINVAL;
	(void)pi;
	return 0;
}

static int receive(struct tun *tun, struct iov_iter *from)
{
	struct tun_pi_header pi;
	struct virtio_net_hdr h;
	struct packet *p;
	LIST_HEAD(list);
	u32 len;
	int err = take_heads(tun, from, &pi, &h);

	if (err)
		return err;
	if (from->count > FRAME_MAX)
		return -EMSGSIZE;
	len = (u32)from->count;
	p = packet_alloc(len);
	if (!p)
		return -ENOMEM;
	packet_set_len(p, len);
	err = copy_from_iter(p->piece[0].data, len, from) == len ? 0 : -EFAULT;
	if (!err)
		err = check_frame(tun, p, &pi);
	if (!err)
		err = offloads(p, &h);
	if (err) {
		packet_put(p);
		return err;
	}
	p->dev = &tun->dev;
	list_add(&p->link, &list);
	netdev_receive(&tun->dev, &list);
	return 0;
}

static ssize_t tun_write(struct file *f, struct iov_iter *from, u64 *pos)
{
	struct tun *tun = device_of(f);
	ssize_t len = (ssize_t)from->count;
	int err;

	(void)pos;
	if (!tun)
		return -EBADFD;
	if (!(atomic_load(&tun->dev.flags) & IFF_UP))
		return -EIO;
	err = receive(tun, from);
	if (err == -EINVAL)
		netdev_count(&tun->dev, rx_frame, 1);
	return err ? err : len;
}

static u32 tun_poll(struct file *f, struct poll_table *pt)
{
	struct tun *tun = device_of(f);
	u32 mask = 0;

	if (!tun)
		return EPOLLERR;
	poll_wait(pt, f, &tun->wq);
	if (!list_empty(&tun->queue))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (atomic_load(&tun->dev.flags) & IFF_UP)
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}

/* --- ioctl */

#define KNOWN_FLAGS	((u32)(IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_ONE_QUEUE | IFF_VNET_HDR))

static long set_iff(struct file *f, u64 arg)
{
	struct tun_file *tf = f->private;
	struct tun *tun = NULL, *none = NULL;
	struct ifreq r;
	u32 flags;
	int err;

	if (copy_from_user(&r, user_ptr(arg), sizeof(r)))
		return -EFAULT;
	r.ifr_name[IFNAMSIZ - 1] = 0;
	flags = (u16)r.ifr_flags;
	if (device_of(f))
		return -EEXIST;
	if (flags & ~(KNOWN_FLAGS | IFF_TUN_EXCL) || !(flags & IFF_TUN) == !(flags & IFF_TAP))
		return -EINVAL;
	err = tun_attach(r.ifr_name, flags, &tun);
	if (err == -ENODEV)
		err = tun_create(r.ifr_name, flags & ~(u32)IFF_TUN_EXCL, &tun);
	if (err)
		return err;
	if (!__atomic_compare_exchange_n(&tf->tun, &none, tun, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		tun_detach(tun);
		return -EEXIST;
	}
	memcpy(r.ifr_name, tun->dev.name, IFNAMSIZ);
	return copy_to_user(user_ptr(arg), &r, sizeof(r));
}

static long get_iff(struct tun *tun, u64 arg)
{
	struct ifreq r = { 0 };

	memcpy(r.ifr_name, tun->dev.name, IFNAMSIZ);
	r.ifr_flags = (short)(tun->flags | (tun->persist ? IFF_PERSIST : 0) | IFF_NOFILTER);	/* which has the bit of IFF_NO_PI */
	return copy_to_user(user_ptr(arg), &r, sizeof(r));
}

static long hardware(struct tun *tun, u32 cmd, u64 arg)
{
	struct ifreq r;
	long err = 0;

	if (copy_from_user(&r, user_ptr(arg), sizeof(r)))
		return -EFAULT;
	if (cmd == SIOCGIFHWADDR) {
		memset(&r.ifr_hwaddr, 0, sizeof(r.ifr_hwaddr));
		r.ifr_hwaddr.sa_family = tun->dev.type;
		memcpy(r.ifr_hwaddr.sa_data, tun->dev.address, tun->dev.address_len);
		return copy_to_user(user_ptr(arg), &r, sizeof(r));
	}
	mutex_lock(&net_config_lock);
	err = r.ifr_hwaddr.sa_family != tun->dev.type ? -EINVAL : netdev_set_address(&tun->dev, (const u8 *)r.ifr_hwaddr.sa_data);
	mutex_unlock(&net_config_lock);
	return err;
}

static long set_link(struct tun *tun, u64 arg)
{
	long err = 0;

	mutex_lock(&net_config_lock);
	if (tun->dev.flags & IFF_UP)
		err = -EBUSY;
	else
		tun->dev.type = (u16)arg;
	mutex_unlock(&net_config_lock);
	return err;
}

/* What takes its number from memory. */
static long set_number(struct tun *tun, u32 cmd, u64 arg)
{
	s32 v;

	if (get_user(v, (s32 __user *)user_ptr(arg)))
		return -EFAULT;
	switch (cmd) {
	case TUNSETVNETHDRSZ:
		if (v < (s32)sizeof(struct virtio_net_hdr) || v > (s32)(HEADERS_MAX - sizeof(struct tun_pi_header)))
			return -EINVAL;
		atomic_store(&tun->vnet_len, (u32)v);
		return 0;
	case TUNSETSNDBUF:
		if (v <= 0)
			return -EINVAL;
		atomic_store(&tun->send_max, v);
		return 0;
	case TUNSETCARRIER:
		netdev_carrier(&tun->dev, v);
		return 0;
	}
	return -EINVAL;
}

static long on_device(struct tun *tun, u32 cmd, u64 arg)
{
	s32 __user *out = user_ptr(arg);

	switch (cmd) {
	case TUNGETIFF:
		return get_iff(tun, arg);
	case TUNSETNOCSUM:
	case TUNSETDEBUG:
		return 0;
	case TUNSETPERSIST:
		tun->persist = arg;
		return 0;
	case TUNSETOWNER:
		tun->owner = (s32)arg;
		return 0;
	case TUNSETGROUP:
		tun->group = (s32)arg;
		return 0;
	case TUNSETLINK:
		return set_link(tun, arg);
	case TUNSETOFFLOAD:
		return tun_set_offloads(tun, (u32)arg);
	case TUNSETTXFILTER:
		return tun->flags & IFF_TAP ? 0 : -EINVAL;
	case SIOCGIFHWADDR:
	case SIOCSIFHWADDR:
		return hardware(tun, cmd, arg);
	case TUNGETSNDBUF:
		return put_user(atomic_load(&tun->send_max), out);
	case TUNGETVNETHDRSZ:
		return put_user((s32)atomic_load(&tun->vnet_len), out);
	case TUNSETVNETHDRSZ:
	case TUNSETSNDBUF:
	case TUNSETCARRIER:
		return set_number(tun, cmd, arg);
	}
	return -EINVAL;
}

static long tun_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct tun *tun = device_of(f);

	if (cmd == TUNGETFEATURES)
		return put_user(KNOWN_FLAGS, (u32 __user *)user_ptr(arg));
	if (cmd == TUNSETIFF)
		return set_iff(f, arg);
	return tun ? on_device(tun, cmd, arg) : -EBADFD;
}

/* --- the file */

static int tun_open(struct inode *inode, struct file *f)
{
	(void)inode;
	f->private = kzalloc(sizeof(struct tun_file), GFP_KERNEL);
	return f->private ? 0 : -ENOMEM;
}

static void tun_release(struct file *f)
{
	struct tun *tun = ((struct tun_file *)f->private)->tun;

	if (tun)
		tun_detach(tun);
	kfree(f->private);
}

static const struct file_ops tun_fops = {
	.open = tun_open, .release = tun_release, .read = tun_read, .write = tun_write, .poll = tun_poll, .ioctl = tun_ioctl,
};
CHARDEV(tun, .name = "net/tun", .driver = "misc", .class = "misc", .dev = MKDEV_K(10, 200), .count = 1, .mode = 0666, .fops = &tun_fops);
