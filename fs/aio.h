/* Linux AIO. */
#pragma once

struct mm;
/* aio_mm_gone - the last user of mm has gone: end its contexts, waiting for what is in flight.  Context: thread, may sleep. */
void aio_mm_gone(struct mm *mm);
