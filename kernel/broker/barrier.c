/* SPDX-License-Identifier: MIT */
#include "broker/barrier.h"

#include "base/bug.h"
#include "base/list.h"
#include "base/mem.h"
#include "broker/queue/log.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

/*
 * A letter to every loop, this one too: it follows those that settle. There it waits for the log,
 * and then comes back.
 */
struct barrier_letter {
	struct letter letter;
	struct broker *broker;
	struct broker_barrier *barrier; /* the asker's; for its own eyes */
	unsigned asker;
	struct queue_log_barrier log;
};

/* Back on the asker's loop. */
static void come_back(struct letter *letter)
{
	struct barrier_letter *l = container_of(letter, struct barrier_letter, letter);
	struct broker_barrier *barrier = l->barrier;

	barrier->has_failed |= l->log.has_failed;
	mem_free(l);
	if (--barrier->n_pending == 0)
		barrier->done(barrier);
}

static void passed(struct queue_log_barrier *log)
{
	struct barrier_letter *l = container_of(log, struct barrier_letter, log);

	l->letter.deliver = come_back;
	loop_post(l->asker, &l->letter);
}

static void arrive(struct letter *letter)
{
	struct barrier_letter *l = container_of(letter, struct barrier_letter, letter);

	l->log.done = passed;
	queue_log_barrier(broker_loop_self(l->broker)->log, &l->log);
}

void broker_barrier(struct broker *broker, const struct loop_set *loops,
		    struct broker_barrier *barrier)
{
	barrier->has_failed = false;
	barrier->n_pending = 0;
	for (unsigned i = 0; i < broker->n_loops; i++) {
		if (!loop_set_has(loops, i))
			continue;
		struct barrier_letter *l = mem_zalloc(sizeof(*l));

		l->letter.deliver = arrive;
		l->broker = broker;
		l->barrier = barrier;
		l->asker = loop_index(loop_self());
		barrier->n_pending++;
		loop_post(i, &l->letter);
	}
	bug_on(barrier->n_pending == 0);
}
