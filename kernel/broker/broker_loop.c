/* SPDX-License-Identifier: MIT */
#include "broker/broker_loop.h"

#include "broker/queue/state.h"

void broker_loop_init(struct broker_loop *part, struct store_log *log)
{
	list_init(&part->queues);
	part->n_queues = 0;
	part->n_commits = 0;
	chunk_pool_init(&part->pool);
	part->log = queue_log_create(log);
	queue_paging_init(part);
	part->router = NULL;
}

void broker_loop_fini(struct broker_loop *part)
{
	struct list *link;

	while ((link = list_first(&part->queues)))
		queue_abandon(container_of(link, struct queue, on_loop));
	queue_paging_fini(part);
	chunk_pool_fini(&part->pool);
	queue_log_destroy(part->log);
}
