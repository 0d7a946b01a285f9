/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ADMIN_IMPORT_STATE_H
#define KERNEL_ADMIN_IMPORT_STATE_H

/*
 * What the parts of import.c share. An import goes through: reading (on a worker), checking against
 * the broker, being written down as pending, its steps, and being crossed out; or, when a step
 * fails, back through the steps that were done.
 */

#include "access/accounts.h"
#include "admin/admin.h"
#include "admin/import.h"
#include "admin/plan.h"
#include "broker/change/declare.h"
#include "loop/pool.h"
#include "loop/task.h"
#include "loop/workers.h"
#include "store/store.h"

/* Of a file as it is; zero: of none. */
struct import_hash {
	uint64_t halves[2];
};
static inline bool import_hash_equal(const struct import_hash *a, const struct import_hash *b)
{
	return a->halves[0] == b->halves[0] && a->halves[1] == b->halves[1];
}

/* A file that was imported with only_if_changed. */
struct loaded_file {
	struct loaded_file *next;
	struct import_hash hash;
	char path[];
};

struct import_work {
	struct work work;
	struct admin *admin;
	struct import *import;
	struct plan *plan;
	char *text, *path; /* owned; text NULL: read from the path; path "": there is none */
	size_t size;
	uint8_t *vhost; /* owned; NULL: none */
	size_t vhost_size;
	bool skips_unbuilt, only_if_changed, is_unchanged;
	struct import_hash hash, hash_before; /* of the file; only_if_changed */
	char by[300], from[300];	      /* the actor's */
	struct audit_actor actor;
	bool is_written_down; /* it is pending in the store */
	bool is_resumed;
	char *damage; /* owned; why it cannot be done. NULL: it can */

	/* import_check.c */
	struct loop_task check;
	struct plan_reference *reference; /* the next to be looked for */
	enum plan_kind check_kind;
	size_t check_next;
	struct map tallies; /* new queues of each vhost */

	/* import_journal.c */
	struct store_commit commit;
	size_t n_pieces, piece;

	/* import_steps.c */
	struct loop_task task;
	size_t step, next, n_in_flight;
	bool is_undoing;
	size_t n_left; /* by undoing, as they are used, or cannot be undone */
	int result;    /* the first failure */
};

/* Keeps the first one: "queues[3]: ...". */
void import_fail(struct import_work *work, int result, const struct plan_origin *origin,
		 const char *format, ...) PRINTF_FORMAT(4, 5);
/* The end, with work.result; the import is the asker's. */
void import_finish(struct import_work *work);

/* Nothing more is begun: what is under way stays pending in the store. */
static inline bool import_must_stop(const struct import_work *work)
{
	return work->admin->is_ending || loop_pool_is_stopping();
}

/* The end of one that was refused, or has failed and is not undone. One that was begun again after
 * a crash is crossed out if it is refused: it would be refused at every start. */
void import_give_up(struct import_work *work);

/* Each goes on with the next when it has ended, later or inside the call. */
void import_check(struct import_work *work);
void import_write_down(struct import_work *work);
void import_run_steps(struct import_work *work);
void import_cross_out(struct import_work *work);

void import_forget_check(struct import_work *work);

/* import_loaded.c: the path's; zero: it is not known. */
struct import_hash import_loaded_hash(const struct admin *admin, const char *path);
/* What the store is told of the file, and what is known when it has taken it. */
void import_put_loaded(const struct import_work *work, struct buffer *key, struct buffer *value);
void import_remember_loaded(struct import_work *work);
int import_restore_loaded(struct admin *admin) MUST_USE;
void import_drop_loaded(struct admin *admin);

/* What was pending as an order; returns the number of its pieces. import_journal.c */
size_t import_fill_pending(struct pending_import *pending, struct import *import);
/* Why it cannot be done, the caller's; NULL: it can. */
char *import_take_damage(struct pending_import *pending);
void import_drop_pending(struct admin *admin);

/* How it is in the store; docs/store-format.md. */
#define IMPORT_KEY_PREFIX  "import/p" /* of the pending one and its pieces */
#define IMPORT_KEY_PENDING IMPORT_KEY_PREFIX "ending"
#define IMPORT_FIELD_TEXT  5

/* import_damaged.c: copies what is there to files in the folder, which is made when needed, and
 * they are on disk; *ret_path: their names without ".json" and ".pending", the caller's. 0 or a
 * negative errno. */
int import_copy_damaged(struct store *store, const char *folder, char **ret_path) MUST_USE;

/* ---- Steps ---- */

#define IMPORT_BATCH 32

/* Some items of a step on their way. */
struct import_op {
	struct import_work *work;
	const struct import_step *step;
	size_t first, n;
	/* what the step asks with */
	union {
		struct declare_request declare;
		struct access_edits access;
		struct parameters_edits parameters;
		struct vhost_change vhost;
	};
	void *items;	      /* edits, freed with the op */
	struct vhost *held;   /* given back with it */
	struct binding *like; /* freed with it */
};

struct import_step {
	enum plan_kind kind;
	size_t batch;  /* items in an op */
	size_t window; /* ops at a time */
	/* Each ends in one import_op_done(), perhaps inside the call. */
	void (*run)(struct import_op *op);
	void (*undo)(struct import_op *op);
};
void import_op_done(struct import_op *op);
static inline void *import_op_item(const struct import_op *op, size_t i)
{
	return plan_item(op->work->plan, op->step->kind, op->first + i);
}

/* import_access.c, import_topology.c */
void import_run_vhost(struct import_op *op);
void import_undo_vhost(struct import_op *op);
void import_run_users(struct import_op *op);
void import_undo_users(struct import_op *op);
void import_run_permissions(struct import_op *op);
void import_undo_permissions(struct import_op *op);
void import_run_topic_permissions(struct import_op *op);
void import_undo_topic_permissions(struct import_op *op);
void import_run_parameters(struct import_op *op);
void import_undo_parameters(struct import_op *op);
void import_run_exchange(struct import_op *op);
void import_undo_exchange(struct import_op *op);
void import_run_queue(struct import_op *op);
void import_undo_queue(struct import_op *op);
void import_run_binding(struct import_op *op);
void import_undo_binding(struct import_op *op);

#endif
