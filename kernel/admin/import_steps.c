/* SPDX-License-Identifier: MIT */
/*
 * The steps of an import, one kind of item after the other, as what comes later names what came
 * before. Of each, some operations are under way at a time: they are durable one by one, and the
 * store makes groups of what comes together.
 *
 * When one fails no other is begun; when those under way have ended, all that was done is undone,
 * the last kind first. One that was begun again after a crash is not undone, as nobody knows any
 * more what was there before it: it stays pending, or is given up if it is refused.
 */
#include <stdio.h>
#include <string.h>

#include "admin/import_state.h"
#include "base/mem.h"
#include "broker/vhost/vhost.h"
#include "loop/loop.h"

/* Begun in one slice. Those under way end in one turn, perhaps: some 10 us each. */
#define SLICE 8u

static const struct import_step steps[] = {
	// clang-format off
	{ PLAN_VHOSTS, 1, 1, import_run_vhost, import_undo_vhost },
	{ PLAN_USERS, IMPORT_BATCH, 1, import_run_users, import_undo_users },
	{ PLAN_PERMISSIONS, IMPORT_BATCH, 1, import_run_permissions, import_undo_permissions },
	{ PLAN_TOPIC_PERMISSIONS, IMPORT_BATCH, 1,
	  import_run_topic_permissions, import_undo_topic_permissions },
	{ PLAN_PARAMETERS, IMPORT_BATCH, 1, import_run_parameters, import_undo_parameters },
	{ PLAN_EXCHANGES, 1, 64, import_run_exchange, import_undo_exchange },
	{ PLAN_QUEUES, 1, 64, import_run_queue, import_undo_queue },
	{ PLAN_BINDINGS, 1, 64, import_run_binding, import_undo_binding },
	// clang-format on
};
#define N_STEPS (sizeof(steps) / sizeof(steps[0]))

void import_op_done(struct import_op *op)
{
	struct import_work *work = op->work;

	vhost_release(op->held);
	mem_free(op->items);
	mem_free(op->like);
	mem_free(op);
	work->n_in_flight--;
	loop_defer_background(&work->task);
}

static void begin(struct import_work *work, const struct import_step *step, size_t n_items)
{
	struct import_op *op = mem_zalloc(sizeof(*op));
	size_t left = n_items - work->next;

	op->work = work;
	op->step = step;
	op->first = work->next;
	op->n = left < step->batch ? left : step->batch;
	work->next += op->n;
	work->n_in_flight++;
	if (work->is_undoing)
		step->undo(op);
	else
		step->run(op);
}

static void end_undoing(struct import_work *work)
{
	struct import *import = work->import;
	size_t used = strlen(import->reason);

	if (work->n_left > 0)
		(void)snprintf(import->reason + used, sizeof(import->reason) - used,
			       "; what was done before was undone, but for %zu of its changes",
			       work->n_left);
	import_cross_out(work);
}

/* There is nothing left of this step. False: the import is over, or the next part's. */
static bool pass(struct import_work *work)
{
	work->next = 0;
	if (work->is_undoing && work->step > 0) {
		work->step--;
	} else if (work->is_undoing) {
		end_undoing(work);
		return false;
	} else if (work->result != 0 && work->is_resumed) {
		import_give_up(work);
		return false;
	} else if (work->result != 0) {
		work->is_undoing = true;
	} else if (++work->step == N_STEPS) {
		import_cross_out(work);
		return false;
	}
	return true;
}

static bool is_over(const struct import_work *work, size_t n_items)
{
	return work->next == n_items || (work->result != 0 && !work->is_undoing);
}

static void run_slice(struct loop_task *task)
{
	struct import_work *work = container_of(task, struct import_work, task);
	const struct import_step *step = &steps[work->step];
	size_t n_items = plan_count(work->plan, step->kind);

	if (import_must_stop(work))
		return;
	for (unsigned i = 0; i < SLICE && !is_over(work, n_items); i++) {
		if (work->n_in_flight == step->window)
			return; /* the next that ends goes on */
		begin(work, step, n_items);
	}
	if (is_over(work, n_items) && work->n_in_flight > 0)
		return;
	if (!is_over(work, n_items) || pass(work))
		loop_defer_background(task);
	else
		loop_cancel(task); /* what ended inside its call has armed it */
}

void import_run_steps(struct import_work *work)
{
	loop_task_init(&work->task, run_slice);
	loop_defer_background(&work->task);
}
