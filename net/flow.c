/* Packets into and out of network devices, and their counts. */
#include <arch/cpu.h>
#include <kernel/time/time.h>
#include <net/netdev.h>

u32 netdev_nr_taps;

static void look(struct netdev *dev, struct list_head *packets, bool outgoing)
{
	u64 now = clock_real_ns();
	struct packet *p;

	list_for_each_entry(p, packets, link) {
		p->dev = dev;
		p->outgoing = outgoing;
		p->stamp_ns = now;
	}
	for (const struct packet_taker *t = __packet_takers_start; t < __packet_takers_end; t++)
		if (t->look)
			t->look(dev, packets);
}

void netdev_receive(struct netdev *dev, struct list_head *packets)
{
	u64 bytes = 0, n = 0;
	struct packet *p;

	list_for_each_entry(p, packets, link) {
		bytes += p->len;
		n++;
	}
	netdev_count(dev, rx_packets, n);
	netdev_count(dev, rx_bytes, bytes);
	if (netdev_taps())
		look(dev, packets, false);
	for (const struct packet_taker *t = __packet_takers_start; t < __packet_takers_end; t++)
		if (t->take)
			t->take(dev, packets);
	packet_list_put(packets);
}

void netdev_count_dropped(struct netdev *dev, const struct list_head *packets)
{
	const struct packet *p;
	u64 n = 0;

	list_for_each_entry(p, packets, link)
		n++;
	netdev_count(dev, tx_dropped, n);
}

void netdev_transmit(struct netdev *dev, struct list_head *packets)
{
	if (unlikely(!(atomic_load(&dev->flags) & IFF_UP))) {
		netdev_count_dropped(dev, packets);
		packet_list_put(packets);
		return;
	}
	if (netdev_taps())
		look(dev, packets, true);
	dev->ops->transmit(dev, packets);
}

void netdev_stats(struct netdev *dev, struct netdev_stats *sum)
{
	u64 *to = (u64 *)sum;

	for (u32 i = 0; i < sizeof(*sum) / sizeof(u64); i++)
		to[i] = atomic_load((u64 *)&dev->base + i);
	for (u32 cpu = 0; cpu < nr_cpus; cpu++)
		for (u32 i = 0; i < sizeof(*sum) / sizeof(u64); i++)
			to[i] += atomic_load((u64 *)&dev->stats[cpu] + i);
}
