/* Which CPU: TPIDRRO_EL0 holds its number (cpu_tell_number), so there is nothing that could be stale.  One node.  Runs in the program. */
int __kernel_getcpu(unsigned *cpu, unsigned *node, void *unused);

int __kernel_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	unsigned long number;

	(void)unused;
	__asm__ volatile("mrs %0, tpidrro_el0" : "=r"(number));
	if (cpu)
		*cpu = (unsigned)number;
	if (node)
		*node = 0;
	return 0;
}
