/* TCP's connections, by their four ends.
 *
 * A hash table of lwIP's pcbs, chained through members that our patch gave them (patches/lwip.patch): from TCP_REG_ACTIVE, when a SYN was sent or came, to
 * TCP_RMV.  It doubles when it holds more than one a bucket, and halves when there are eight times fewer, so that ten thousand connections leave nothing
 * behind.  The key is secret: nobody outside can choose connections that all fall into one bucket.  All under the core lock. */
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>
#include <kernel/lib/string.h>
#include <kernel/random/random.h>
#include <mm/slab.h>
#include <net/inet/hooks.h>
#include <net/inet/tcp.h>

#define BUCKETS_MIN	16u

static struct tcp_pcb *first_table[BUCKETS_MIN];
static struct tcp_pcb **table = first_table;	/* [C] */
static u32 buckets = BUCKETS_MIN, count;	/* [C] */
static u64 secret[2];

/* 64 times 64 bits, folded. */
static u64 fold(u64 a, u64 b)
{
	unsigned __int128 r = (unsigned __int128)a * b;

	return (u64)r ^ (u64)(r >> 64);
}

static u64 hash_ends(const ip_addr_t *local, u16 lport, const ip_addr_t *remote, u16 rport)
{
	u64 ports = (u64)lport << 16 | rport;

	if (IP_IS_V4(remote))
		return fold(((u64)ip_2_ip4(local)->addr << 32 | ip_2_ip4(remote)->addr) ^ secret[0], ports ^ secret[1]);
	for (int k = 0; k < 4; k++)
		ports = fold(((u64)ip_2_ip6(local)->addr[k] << 32 | ip_2_ip6(remote)->addr[k]) ^ secret[0], ports ^ secret[1]);
	return ports;
}

static struct tcp_pcb **bucket_of(const ip_addr_t *local, u16 lport, const ip_addr_t *remote, u16 rport)
{
	return &table[hash_ends(local, lport, remote, rport) & (buckets - 1)];
}

static void chain(struct tcp_pcb *pcb)
{
	struct tcp_pcb **head = bucket_of(&pcb->local_ip, pcb->local_port, &pcb->remote_ip, pcb->remote_port);

	pcb->hash_next = *head;
	if (*head)
		(*head)->hash_pprev = &pcb->hash_next;
	pcb->hash_pprev = head;
	*head = pcb;
}

/* A table of another size; as it was if there is no memory. */
static void resize(u32 wanted)
{
	struct tcp_pcb **old = table, **new = wanted == BUCKETS_MIN ? first_table : kzalloc(wanted * sizeof(*new), GFP_ATOMIC);
	u32 nr_old = buckets;

	if (!new)
		return;
	table = new;
	buckets = wanted;
	for (u32 k = 0; k < nr_old; k++)
		while (old[k]) {
			struct tcp_pcb *pcb = old[k];

			old[k] = pcb->hash_next;
			chain(pcb);
		}
	if (old != first_table)
		kfree(old);
}

void tcp_hook_registered(struct tcp_pcb *pcb)
{
	if (!secret[0])
		random_bytes(secret, sizeof(secret));
	if (count >= buckets)
		resize(buckets * 2);
	chain(pcb);
	count++;
	tcp_timer_begins(pcb);
}

void tcp_hook_removed(struct tcp_pcb *pcb)
{
	if (pcb->state == LISTEN || !pcb->hash_pprev)
		return;
	*pcb->hash_pprev = pcb->hash_next;
	if (pcb->hash_next)
		pcb->hash_next->hash_pprev = pcb->hash_pprev;
	pcb->hash_pprev = NULL;
	count--;
	tcp_timer_ends(pcb);
	if (buckets > BUCKETS_MIN && count < buckets / 8)
		resize(buckets / 2);
}

struct tcp_pcb *tcp_find(const ip_addr_t *local, u16 lport, const ip_addr_t *remote, u16 rport)
{
	struct tcp_pcb *pcb = *bucket_of(local, lport, remote, rport);

	while (pcb && !(pcb->remote_port == rport && pcb->local_port == lport && ip_addr_cmp(&pcb->remote_ip, remote) && ip_addr_cmp(&pcb->local_ip, local)))
		pcb = pcb->hash_next;
	return pcb;
}

/* A connection bound to a device does not hear what came by another. */
struct tcp_pcb *tcp_hook_find(const ip_addr_t *remote, u16 rport, const ip_addr_t *local, u16 lport)
{
	struct tcp_pcb *pcb = tcp_find(local, lport, remote, rport);

	if (!pcb || (pcb->netif_idx != NETIF_NO_INDEX && pcb->netif_idx != netif_get_index(ip_current_input_netif())))
		return NULL;
	tcp_wake(pcb);
	return pcb;
}

void tcp_for_each(void (*visit)(const struct tcp_pcb *pcb, void *arg), void *arg)
{
	for (u32 k = 0; k < buckets; k++)
		for (const struct tcp_pcb *pcb = table[k]; pcb; pcb = pcb->hash_next)
			visit(pcb, arg);
}
