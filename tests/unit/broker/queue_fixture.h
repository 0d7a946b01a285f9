/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_QUEUE_FIXTURE_H
#define TESTS_UNIT_BROKER_QUEUE_FIXTURE_H

/*
 * A broker without a topology: loops, a store in memory, and directory entries of the test's own.
 */

#include <CUnit/CUnit.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "broker/broker_loop.h"
#include "broker/message/message.h"
#include "broker/queue/queue.h"
#include "broker/topology/topology.h"
#include "loop/loop.h"
#include "store/store.h"

static struct broker fixture_broker;
static struct store *(*fixture_create_store)(unsigned n_logs) = store_memory_create;
static struct vhost fixture_vhost = {.name = (char[]){"/"}};
static struct queue_entry fixture_entry = {
	.vhost = &fixture_vhost,
	.node.key = {(const uint8_t *)"q", 1},
};

static inline void fixture_init_part(void *arg)
{
	unsigned index = loop_index(loop_self());

	(void)arg;
	broker_loop_init(&fixture_broker.loops[index], store_log_of(fixture_broker.store, index));
}

static inline void fixture_fini_part(void *arg)
{
	(void)arg;
	broker_loop_fini(broker_loop_self(&fixture_broker));
}

static inline void fixture_begin(unsigned n_loops)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(n_loops), 0);
	fixture_broker = (struct broker){
		.n_loops = n_loops,
		.store = fixture_create_store(n_loops),
		.queue_memory_max = QUEUE_MEMORY_MAX,
		.queue_transient_max = QUEUE_TRANSIENT_MAX,
	};
	fixture_broker.loops =
		mem_zalloc_aligned(CACHE_LINE_SIZE, n_loops * sizeof(struct broker_loop));
	for (unsigned i = 0; i < n_loops; i++)
		loop_pool_visit(i, fixture_init_part, NULL);
}

static inline void fixture_end(void)
{
	for (unsigned i = 0; i < fixture_broker.n_loops; i++)
		loop_pool_visit(i, fixture_fini_part, NULL);
	store_destroy(fixture_broker.store);
	loop_pool_destroy();
	mem_free(fixture_broker.loops);
}

static inline struct queue_options fixture_options(void)
{
	return (struct queue_options){.message_ttl_ms = UINT64_MAX};
}

#endif
