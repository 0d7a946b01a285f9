/* SPDX-License-Identifier: MIT */
#include "store/memory/live.h"

/*
 * Every live record is a node, on a list in the order of the log, which is what a recovery replays.
 *
 * A queue finds its nodes by an array ordered by sequence number. Numbers mostly come ascending and
 * are settled from the front; what is settled within leaves a hole, and when holes are the majority
 * they are squeezed out.
 */

#include <errno.h>
#include <string.h>

#include "base/bug.h"
#include "base/mem.h"

#define SLOTS_MIN      ((size_t)16)
#define SLOTS_KEPT     ((size_t)256) /* an empty queue keeps no more room than this */
#define PUBLISHED_KEPT ((size_t)4096)

struct live_slot {
	uint64_t seq;
	struct live_node *node; /* NULL: a hole */
};

struct live_queue {
	struct map_node node; /* by id */
	uint64_t id;
	struct live_slot *slots; /* head..tail, ascending; neither end is a hole */
	size_t head;
	size_t tail;
	size_t capacity;
	size_t n_live;
	size_t incoming;   /* enqueues of the append under way */
	uint64_t last_seq; /* the highest number that was ever named */
};

/* ---- nodes ---- */

void live_init(struct live *live)
{
	*live = (struct live){.n_messages = 0};
	list_init(&live->order);
	node_pool_init(&live->nodes);
	map_init(&live->queues);
}

static struct live_node *add_node(struct live *live, enum live_kind kind)
{
	struct live_node *node = node_get(&live->nodes, kind);

	list_add_tail(&live->order, &node->link);
	return node;
}

static void free_node(struct live *live, struct live_node *node)
{
	list_remove(&node->link);
	node_put(&live->nodes, node);
}

static struct live_node *add_body(struct live *live, const struct store_record *record)
{
	const struct store_body *body = &record->body;
	struct live_node *node = add_node(live, LIVE_BODY);

	node->body.bytes = *body;
	node->body.n_entries = 1;
	node->body.is_transient = record->is_transient;
	if (body->hold)
		body->hold(body->owner);
	return node;
}

static void unref_body(struct live *live, struct live_node *node)
{
	struct store_body body = node->body.bytes;

	if (--node->body.n_entries > 0)
		return;
	free_node(live, node);
	if (body.drop)
		body.drop(body.owner);
}

/* ---- queues ---- */

static struct live_queue *find_queue(struct live *live, uint64_t id)
{
	struct map_node *found;

	if (live->recent && live->recent->id == id)
		return live->recent;
	found = map_find(&live->queues, slice_make(&id, sizeof(id)));
	return found ? container_of(found, struct live_queue, node) : NULL;
}

static void free_queue(struct live *live, struct live_queue *queue)
{
	map_remove(&live->queues, &queue->node);
	if (live->recent == queue)
		live->recent = NULL;
	mem_free(queue->slots);
	mem_free(queue);
}

static bool is_unused(const struct live_queue *queue)
{
	return queue->n_live == 0 && queue->incoming == 0 && queue->last_seq == 0;
}

static struct live_queue *need_queue(struct live *live, uint64_t id)
{
	struct live_queue *queue = find_queue(live, id);
	struct live_queue *recent = live->recent;

	if (!queue) {
		queue = mem_zalloc(sizeof(*queue));
		queue->id = id;
		map_insert(&live->queues, &queue->node, slice_make(&queue->id, sizeof(queue->id)));
	}
	live->recent = queue;
	if (recent && recent != queue && is_unused(recent))
		free_queue(live, recent);
	return queue;
}

/* Moves the slots to the front of the array, without the holes. */
static void squeeze(struct live_queue *queue)
{
	size_t to = 0;

	for (size_t i = queue->head; i < queue->tail; i++)
		if (queue->slots[i].node)
			queue->slots[to++] = queue->slots[i];
	queue->head = 0;
	queue->tail = to;
}

static int make_room(struct live_queue *queue, size_t n)
{
	size_t used = queue->tail - queue->head;
	size_t capacity = queue->capacity;
	struct live_slot *grown;

	if (n <= capacity - queue->tail)
		return 0;
	if (used + n <= capacity / 2) {
		squeeze(queue);
		return 0;
	}
	while (capacity < used + n || capacity < SLOTS_MIN)
		capacity = capacity ? capacity * 2 : SLOTS_MIN;
	squeeze(queue);
	if (capacity == queue->capacity)
		capacity *= 2;
	grown = mem_try_realloc(queue->slots, capacity * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	queue->slots = grown;
	queue->capacity = capacity;
	return 0;
}

/* The first slot whose number is not below seq. */
static size_t lower_bound(const struct live_queue *queue, uint64_t seq)
{
	size_t low = queue->head, high = queue->tail;

	if (low == high || queue->slots[low].seq >= seq)
		return low;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (queue->slots[middle].seq < seq)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/* There is room. */
static void add_slot(struct live_queue *queue, uint64_t seq, struct live_node *node)
{
	size_t at = queue->tail;

	if (queue->head < queue->tail && queue->slots[queue->tail - 1].seq >= seq) {
		at = lower_bound(queue, seq);
		if (queue->slots[at].seq == seq) {
			bug_on(queue->slots[at].node != NULL);
			queue->slots[at].node = node;
			queue->n_live++;
			return;
		}
		memmove(&queue->slots[at + 1], &queue->slots[at],
			(queue->tail - at) * sizeof(*queue->slots));
	}
	queue->slots[at] = (struct live_slot){.seq = seq, .node = node};
	queue->tail++;
	queue->n_live++;
}

/* After slots have become holes. The queue may be gone afterwards. */
static void tidy(struct live *live, struct live_queue *queue)
{
	while (queue->head < queue->tail && !queue->slots[queue->head].node)
		queue->head++;
	while (queue->head < queue->tail && !queue->slots[queue->tail - 1].node)
		queue->tail--;
	if (queue->n_live > 0) {
		if ((queue->tail - queue->head) / 2 > queue->n_live + SLOTS_MIN)
			squeeze(queue);
		return;
	}
	queue->head = 0;
	queue->tail = 0;
	if (queue->capacity > SLOTS_KEPT && queue->incoming == 0) {
		mem_free(queue->slots);
		queue->slots = NULL;
		queue->capacity = 0;
	}
	if (is_unused(queue) && queue != live->recent)
		free_queue(live, queue);
}

/* ---- records ---- */

static void settle_slot(struct live *live, struct live_queue *queue, struct live_slot *slot)
{
	struct live_node *node = slot->node;
	struct live_node *body = node->entry.body;

	slot->node = NULL;
	queue->n_live--;
	live->n_messages--;
	free_node(live, node);
	unref_body(live, body);
}

static void settle_in(struct live *live, struct live_queue *queue, uint64_t seq_first,
		      uint64_t seq_last)
{
	for (size_t i = lower_bound(queue, seq_first);
	     i < queue->tail && queue->slots[i].seq <= seq_last; i++)
		if (queue->slots[i].node)
			settle_slot(live, queue, &queue->slots[i]);
}

void live_settle(struct live *live, uint64_t queue_id, uint64_t seq_first, uint64_t seq_last)
{
	struct live_queue *queue = find_queue(live, queue_id);

	if (!queue)
		return;
	settle_in(live, queue, seq_first, seq_last);
	tidy(live, queue);
}

static void note_seq(struct live_queue *queue, uint64_t seq)
{
	if (seq > queue->last_seq)
		queue->last_seq = seq;
}

static void settle(struct live *live, const struct store_record *record)
{
	note_seq(need_queue(live, record->queue_id), record->seq_last);
	live_settle(live, record->queue_id, record->seq_first, record->seq_last);
}

static void requeue(struct live *live, uint64_t queue_id, uint64_t seq_first, uint64_t seq_last)
{
	struct live_queue *queue = find_queue(live, queue_id);

	if (!queue)
		return;
	for (size_t i = lower_bound(queue, seq_first);
	     i < queue->tail && queue->slots[i].seq <= seq_last; i++)
		if (queue->slots[i].node)
			queue->slots[i].node->entry.deliveries++;
}

/* A purge of every number there can be is the queue's end. */
static void purge(struct live *live, uint64_t queue_id, uint64_t seq_last)
{
	struct live_queue *queue = find_queue(live, queue_id);

	if (!queue)
		return;
	if (seq_last == UINT64_MAX)
		queue->last_seq = 0;
	else
		note_seq(queue, seq_last);
	settle_in(live, queue, 0, seq_last);
	tidy(live, queue);
}

static void enqueue(struct live *live, const struct store_record *record, struct live_node *body)
{
	struct live_queue *queue = need_queue(live, record->queue_id);
	struct live_node *node = add_node(live, LIVE_ENTRY);

	queue->incoming--;
	node->entry.queue = queue;
	node->entry.body = body;
	node->entry.seq = record->seq_first;
	node->entry.expires_ms = record->expires_ms;
	node->entry.deliveries = 0;
	body->body.n_entries++;
	live->n_messages++;
	note_seq(queue, record->seq_first);
	add_slot(queue, record->seq_first, node);
}

/* ---- appends ---- */

/* Takes back what reserve() has promised to the first n records. */
static void unreserve(struct live *live, const struct store_record *records, size_t n_records)
{
	for (size_t i = 0; i < n_records; i++) {
		struct live_queue *queue;

		if (records[i].type != STORE_ENQUEUE)
			continue;
		queue = find_queue(live, records[i].queue_id);
		if (!queue)
			continue;
		queue->incoming = 0;
		if (is_unused(queue))
			free_queue(live, queue);
	}
}

/* What can fail, before anything is done. */
static int reserve(struct live *live, const struct store_record *records, size_t n_records)
{
	if (n_records > live->published_capacity) {
		struct live_node **grown =
			mem_try_realloc(live->published, n_records * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		live->published = grown;
		live->published_capacity = n_records;
	}
	for (size_t i = 0; i < n_records; i++) {
		struct live_queue *queue;

		if (records[i].type != STORE_ENQUEUE)
			continue;
		queue = need_queue(live, records[i].queue_id);
		queue->incoming++;
		if (make_room(queue, queue->incoming) < 0) {
			unreserve(live, records, i + 1);
			return -ENOMEM;
		}
	}
	return 0;
}

static void apply(struct live *live, const struct store_record *record, struct live_node **slot)
{
	switch (record->type) {
	case STORE_PUBLISH:
		*slot = add_body(live, record);
		break;
	case STORE_ENQUEUE:
		enqueue(live, record, live->published[record->publish]);
		break;
	case STORE_SETTLE:
	case STORE_EXPIRE:
		settle(live, record);
		break;
	case STORE_REQUEUE:
		requeue(live, record->queue_id, record->seq_first, record->seq_last);
		break;
	case STORE_PURGE:
		purge(live, record->queue_id, record->seq_last);
		break;
	}
}

int live_apply(struct live *live, const struct store_record *records, size_t n_records)
{
	int r = reserve(live, records, n_records);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n_records; i++)
		apply(live, &records[i], &live->published[i]);
	/* A body that no queue took goes here. */
	for (size_t i = 0; i < n_records; i++)
		if (records[i].type == STORE_PUBLISH)
			unref_body(live, live->published[i]);
	if (live->published_capacity > PUBLISHED_KEPT) {
		mem_free(live->published);
		live->published = NULL;
		live->published_capacity = 0;
	}
	return 0;
}

/* ---- reading ---- */

int live_read(struct live *live, uint64_t queue_id, uint64_t seq, struct slice *ret_body)
{
	const struct live_queue *queue = find_queue(live, queue_id);
	size_t at = queue ? lower_bound(queue, seq) : 0;

	if (!queue || at == queue->tail || queue->slots[at].seq != seq || !queue->slots[at].node)
		return -ENOENT;
	*ret_body = queue->slots[at].node->entry.body->body.bytes.bytes;
	return 0;
}

static void replay_entry(const struct live_node *node, struct store_recovery *recovery)
{
	const struct store_recovered message = {
		.queue_id = node->entry.queue->id,
		.seq = node->entry.seq,
		.expires_ms = node->entry.expires_ms,
		.deliveries = node->entry.deliveries,
		.body = node->entry.body->body.bytes.bytes,
	};

	if (!node->entry.body->body.is_transient)
		recovery->message(recovery, &message);
}

void live_replay(const struct live *live, struct store_recovery *recovery)
{
	const struct list *link;
	struct map_cursor cursor;
	struct map_node *node;

	map_for_each(node, &live->queues, &cursor) {
		const struct live_queue *queue = container_of(node, struct live_queue, node);

		recovery->queue(recovery, queue->id, queue->last_seq);
	}
	for (link = live->order.next; link != &live->order; link = link->next) {
		const struct live_node *entry = container_of(link, const struct live_node, link);

		if (entry->kind == LIVE_ENTRY)
			replay_entry(entry, recovery);
	}
}

/* ---- room ---- */

void live_compact(struct live *live)
{
	struct map_cursor cursor;
	struct map_node *node;

	map_for_each(node, &live->queues, &cursor) {
		struct live_queue *queue = container_of(node, struct live_queue, node);
		struct live_slot *shrunk;

		squeeze(queue);
		if (queue->tail == 0 || queue->tail > queue->capacity / 2)
			continue;
		shrunk = mem_try_realloc(queue->slots, queue->tail * sizeof(*shrunk));
		if (!shrunk)
			continue;
		queue->slots = shrunk;
		queue->capacity = queue->tail;
	}
}

void live_fini(struct live *live)
{
	struct map_cursor cursor;
	struct map_node *node;

	map_for_each(node, &live->queues, &cursor) {
		struct live_queue *queue = container_of(node, struct live_queue, node);

		settle_in(live, queue, 0, UINT64_MAX);
		free_queue(live, queue);
	}
	map_fini(&live->queues);
	node_pool_fini(&live->nodes);
	mem_free(live->published);
}
