/* /proc/net/dev and /proc/net/dev_mcast, as Linux has them. */
#include <fs/seq.h>
#include <fs/vfs.h>
#include <net/netdev.h>

static int dev_show(struct seq *s, void *arg)
{
	struct netdev *dev = NULL;

	(void)arg;
	seq_puts(s, "Inter-|   Receive                                                |  Transmit\n"
		    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n");
	while ((dev = netdev_next(dev))) {
		struct netdev_stats n;

		netdev_stats(dev, &n);
		seq_printf(s, "%6s: %7lu %7lu %4lu %4lu %4lu %5lu %10lu %9lu ", dev->name, n.rx_bytes, n.rx_packets, n.rx_errors, n.rx_dropped,
			   n.rx_over, n.rx_frame, 0ul, n.multicast);
		seq_printf(s, "%8lu %7lu %4lu %4lu %4lu %5lu %7lu %10lu\n", n.tx_bytes, n.tx_packets, n.tx_errors, n.tx_dropped, n.tx_fifo,
			   n.collisions, n.tx_carrier, 0ul);
	}
	return 0;
}
PROC_FILE(net_dev, .path = "net/dev", .mode = 0444, .show = dev_show);

static int mcast_show(struct seq *s, void *arg)
{
	struct netdev *dev = NULL;

	(void)arg;
	while ((dev = netdev_next(dev))) {
		struct netdev_multicast *m;

		mutex_lock(&net_config_lock);
		list_for_each_entry(m, &dev->multicast, link) {
			seq_printf(s, "%-4d %-15s %-5d %-5d ", dev->index, dev->name, m->users, 0);
			for (u32 i = 0; i < dev->address_len; i++)
				seq_printf(s, "%02x", m->address[i]);
			seq_putc(s, '\n');
		}
		mutex_unlock(&net_config_lock);
	}
	return 0;
}
PROC_FILE(net_dev_mcast, .path = "net/dev_mcast", .mode = 0444, .show = mcast_show);
