/* Freezing a filesystem on a disk, so that what is there can be copied: everything written, marked as cleanly left, and nobody changes anything
 * until it is thawed.  fsfreeze(8).  It keeps its superblock meanwhile, mounted or not. */
#include <fs/super.h>
#include <fs/write_gate.h>
#include <kernel/errno.h>
#include <linux/fs.h>

static int freeze_locked(struct super *sb)
{
	struct write_gate *g = sb->gate;
	int err;

	gate_close(g, GATE_CALL);
	gate_close(g, GATE_FAULT);
	err = super_sync(sb, true);
	gate_close(g, GATE_END);
	if (!err)
		err = super_sync(sb, true);
	if (!err)
		err = sb->ops->freeze(sb);
	if (err)
		gate_open(g);
	return err;
}

int super_freeze(struct super *sb)
{
	struct write_gate *g = sb->gate;
	int err = 0;

	if (!g || !sb->ops->freeze)
		return -EOPNOTSUPP;
	mutex_lock(&g->lock);
	if (g->frozen)
		err = -EBUSY;
	else if (!(atomic_load(&sb->flags) & SB_RDONLY))
		err = freeze_locked(sb);
	if (!err) {
		g->frozen = true;
		super_get(sb);
	}
	mutex_unlock(&g->lock);
	return err;
}

int super_thaw(struct super *sb)
{
	struct write_gate *g = sb->gate;
	int err = 0;

	if (!g || !sb->ops->freeze)
		return -EINVAL;
	mutex_lock(&g->lock);
	if (!g->frozen)
		err = -EINVAL;
	else if (!(atomic_load(&sb->flags) & SB_RDONLY))
		err = sb->ops->thaw(sb);
	if (!err) {
		gate_open(g);
		g->frozen = false;
	}
	mutex_unlock(&g->lock);
	if (!err)
		super_put(sb);		/* the caller has it open */
	return err;
}
