/* Error numbers: Linux's, plus those that never reach a program (the signal code turns them into EINTR or a restart). */
#pragma once
#include <asm/errno.h>

#define ERESTARTSYS		512	/* restart if SA_RESTART (or no handler) */
#define ERESTARTNOINTR		513	/* always restart */
#define ERESTARTNOHAND		514	/* restart only if no handler ran */
#define ENOIOCTLCMD		515	/* not mine: ask the next one */
#define ERESTART_RESTARTBLOCK	516	/* as NOHAND, through task->restart */
#define EIOCBQUEUED		529	/* begun; struct kiocb tells when it is over */
