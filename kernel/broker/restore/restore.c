/* SPDX-License-Identifier: MIT */
#include "broker/restore/restore.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "amqp/table.h"
#include "amqp/value.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/restore/state.h"
#include "broker/topology/write.h"
#include "loop/loop.h"
#include "store/restoring.h"

/* ---- What the steps share ---- */

void restore_refuse(struct restore *restore, struct slice key, const char *format, ...)
{
	static struct log_limit limit = LOG_LIMIT(20);
	char quoted[512], reason[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	restore->n_failed++;
	log_limited(&limit, LOG_LEVEL_ERROR, "restore",
		    "a definition cannot be brought back: key=%s reason=\"%s\"",
		    log_quote(quoted, sizeof(quoted), key), reason);
}

static bool is_its_key(struct restore *restore, struct slice key,
		       const struct definition *definition)
{
	buffer_clear(&restore->key);
	definition_put_key(&restore->key, definition);
	return slice_equal(buffer_slice(&restore->key), key);
}

static bool is_readable(struct restore *restore, struct slice key, struct slice value,
			enum definition_kind kind, struct definition *ret)
{
	return definition_read(value, ret) == 0 && ret->kind == kind &&
	       ret->name.size <= UINT8_MAX &&
	       amqp_table_validate(ret->arguments, AMQP_TABLE_DEPTH_MAX) == 0 &&
	       is_its_key(restore, key, ret);
}

bool restore_read(struct restore *restore, struct slice key, struct slice value,
		  enum definition_kind kind, struct definition *ret)
{
	struct vhost *vhost = restore->vhost;

	if (!is_readable(restore, key, value, kind, ret)) {
		restore_refuse(restore, key, "it is damaged, or of a later version");
		return false;
	}
	if (kind == DEFINITION_VHOST)
		return true;
	if (restore_is_doomed(restore, ret->vhost)) {
		restore_delete(restore, key);
		return false;
	}
	if (!vhost || !slice_equal(slice_cstr(vhost->name), ret->vhost))
		restore->vhost = topology_vhost(restore->broker->topology, ret->vhost);
	if (!restore->vhost)
		restore_refuse(restore, key, "its vhost is not there");
	return restore->vhost != NULL;
}

struct restored_queue *restore_find_queue(const struct restore *restore, uint64_t id)
{
	struct map_node *node = map_find(&restore->queues, slice_make(&id, sizeof(id)));

	return node ? container_of(node, struct restored_queue, node) : NULL;
}

struct waiting_commit {
	struct store_commit commit;
	struct broker *broker;
	bool is_done;
	enum store_result result;
};

static void committed(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	struct waiting_commit *waiting = container_of(commit, struct waiting_commit, commit);

	(void)revision;
	broker_committed(waiting->broker);
	waiting->is_done = true;
	waiting->result = result;
}

bool restore_commit(struct restore *restore, const struct store_change *changes, size_t n_changes)
{
	struct waiting_commit waiting = {
		.commit = {.changes = changes, .n_changes = n_changes, .done = committed},
		.broker = restore->broker,
	};

	broker_commit(restore->broker, &waiting.commit);
	while (!waiting.is_done)
		loop_run_once(true);
	return waiting.result == STORE_DURABLE;
}

/* ---- The steps ---- */

static const struct {
	const char *what;
	int (*run)(struct restore *restore);
} steps[] = {
	{"vhosts", restore_vhosts},	{"exchanges", restore_exchanges},
	{"queues", restore_queues},	{"bindings", restore_bindings},
	{"messages", restore_messages},
};

static int run_steps(struct restore *restore, char *ret_reason, size_t size)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int r = steps[i].run(restore);

		if (restoring_check(steps[i].what, r, restore->n_failed, ret_reason, size) != 0)
			return -1;
	}
	return 0;
}

static void say(const struct restore *restore, uint64_t begin_ms)
{
	if (restore->n_lost_queues > 0)
		log_info("restore",
			 "dropped of queues that were deleted: queues=%llu messages=%llu",
			 (unsigned long long)restore->n_lost_queues,
			 (unsigned long long)restore->n_lost_messages);
	log_info("restore",
		 "recovered: vhosts=%llu exchanges=%llu queues=%llu bindings=%llu messages=%llu "
		 "ms=%llu",
		 (unsigned long long)restore->n_vhosts, (unsigned long long)restore->n_exchanges,
		 (unsigned long long)restore->n_queues, (unsigned long long)restore->n_bindings,
		 (unsigned long long)restore->n_messages,
		 (unsigned long long)(clock_monotonic_ms() - begin_ms));
}

static void fini(struct restore *restore)
{
	struct map_cursor cursor;
	struct map_node *node;

	map_for_each(node, &restore->queues, &cursor)
		mem_free(container_of(node, struct restored_queue, node));
	map_fini(&restore->queues);
	restore_forget_doomed_vhosts(restore);
	buffer_fini(&restore->dangling);
	buffer_fini(&restore->key);
	mem_free(restore->dangling_ends);
}

int restore_broker(struct broker *broker, const char *default_vhost, char *ret_reason, size_t size)
{
	struct restore restore = {.broker = broker, .default_vhost = default_vhost};
	uint64_t begin_ms = clock_monotonic_ms();
	int r;

	OWN(0);
	map_init(&restore.queues);
	map_init(&restore.doomed_vhosts);
	buffer_init(&restore.dangling);
	buffer_init(&restore.key);
	r = run_steps(&restore, ret_reason, size);
	if (r == 0)
		say(&restore, begin_ms);
	fini(&restore);
	/* Nobody has looked yet, so one step of the generation is enough for all of it. */
	topology_write_begin(broker->topology);
	topology_write_end(broker->topology);
	return r;
}
