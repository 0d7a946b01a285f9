/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_CHANGE_DECLARE_STEPS_H
#define KERNEL_BROKER_CHANGE_DECLARE_STEPS_H

/*
 * What the parts of declare.h share. A request runs as a function of its operation, from the
 * beginning each time: when it is submitted, when it has come to another loop, when something it
 * waited for is over. Each call ends in exactly one of declare_finish, declare_travel,
 * declare_wait, a commit, a removal, or a question to a queue.
 */

#include "broker/change/declare.h"
#include "broker/topology/definition.h"
#include "broker/queue/queue.h"
#include "broker/change/removal.h"
#include "broker/topology/write.h"
#include "broker/topology/turns.h"

/* A request's own memory, from submit to done. */
struct declare_work {
	struct declare_request *request;
	struct turn_waiter waiter;
	struct store_commit commit;
	void (*committed)(struct store_commit *commit, enum store_result result, uint64_t revision);
	void *object; /* what waits for the commit */
	struct bound_sends *sends; /* of a bind: bound.h */
	struct queue_options options;
	uint8_t *stripped_name; /* copies without CR and LF, or NULL */
	uint8_t *stripped_source;
};

static inline struct declare_work *declare_work(const struct declare_request *request)
{
	return request->work;
}

/* The answer is complete, on whatever loop. The request may be gone on return. */
void declare_finish(struct declare_request *request);

/* Runs the request again, on that loop (which may be this one: then at once). */
void declare_travel(struct declare_request *request, unsigned loop);

/* Write side: runs the request again, on this loop, after the change that is under way there. */
void declare_wait(struct declare_request *request, struct turns *turns);

/*
 * Puts the definition into the store, or takes it out; done() runs with declare_work().object as it
 * is. False when memory is out: the error is set, and done() does not run.
 */
bool declare_commit(struct declare_request *request, const struct definition *definition,
		    bool is_deletion,
		    void (*done)(struct store_commit *commit, enum store_result result,
				 uint64_t revision));
struct declare_request *declare_of_commit(const struct store_commit *commit);

/* As the removal's done(): takes over its error and finishes the request that is its context. */
void declare_removed(struct removal *removal);

/* Texts. All return -EPROTO. */
int declare_error_no_exchange(struct declare_request *request, struct slice name);
int declare_error_no_queue(struct declare_request *request, struct slice name);
int declare_error_default_exchange(struct declare_request *request);
int declare_error_unknown_type(struct declare_request *request, struct slice type);
/* False: the asker may not, which is the error now. */
bool declare_may_create(struct declare_request *request);

int declare_error_reserved(struct declare_request *request, const char *kind);
int declare_error_locked(struct declare_request *request);
int declare_error_memory(struct declare_request *request);
int declare_error_store(struct declare_request *request, enum store_result result);

static inline bool declare_is_reserved(struct slice name)
{
	return slice_starts_with(name, SLICE_LITERAL("amq."));
}

/* One for each operation. */
void declare_exchange(struct declare_request *request);
void declare_exchange_delete(struct declare_request *request);
void declare_bind(struct declare_request *request);
void declare_unbind(struct declare_request *request);
void declare_queue(struct declare_request *request);
void declare_queue_delete(struct declare_request *request);

#endif
