/* SPDX-License-Identifier: MIT */
#include "store/log/index.h"

#include <errno.h>
#include <string.h>

#include "../unit.h"
#include "base/mem.h"

/*
 * Random operations on the index and on plain arrays, some of them without memory: dense queues,
 * sparse ones, and some at the ends of the numbers.
 */

static struct index index_;

enum {
	MODEL_QUEUES = 6,
	MODEL_SEQS = 3000,
	MODEL_STEPS = 200000,
	MODEL_FULL_CHECK = 1000,
};

/* Number i of a queue is first + i * stride. */
static struct model {
	uint64_t id;
	uint64_t first;
	uint64_t stride;
	uint64_t last_seq;
	struct index_entry entries[MODEL_SEQS]; /* place 0: not live */
	unsigned next;				/* where it goes on when adding in sequence */
} models[MODEL_QUEUES];

static const struct model model_kinds[MODEL_QUEUES] = {
	{.id = 1, .first = 0, .stride = 1},
	{.id = 2, .first = 1000, .stride = 1},
	{.id = 3, .first = 60, .stride = 40},
	{.id = 4, .first = 0, .stride = 131},
	{.id = UINT64_MAX, .first = UINT64_MAX - MODEL_SEQS + 1, .stride = 1},
	{.id = 0, .first = UINT64_C(1) << 32, .stride = UINT64_C(1) << 33},
};

static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % below;
}

static uint64_t model_seq(const struct model *m, uint64_t i)
{
	return m->first + i * m->stride;
}

static uint64_t draw_place(void)
{
	return index_place((uint32_t)draw(INDEX_SEGMENT_MAX + 1), (1 + draw(UINT32_MAX)) * 8);
}

static void model_gone(void *ctx, uint64_t queue_id, uint64_t seq, uint64_t place)
{
	struct model *m = ctx;
	uint64_t i = (seq - m->first) / m->stride;

	CU_ASSERT_EQUAL(queue_id, m->id);
	CU_ASSERT_FATAL(i < MODEL_SEQS && model_seq(m, i) == seq);
	CU_ASSERT_EQUAL(m->entries[i].place, place);
	CU_ASSERT_NOT_EQUAL(place, 0);
	m->entries[i] = (struct index_entry){0};
}

static void step_add(struct model *m)
{
	unsigned i = draw(3) == 0 ? (unsigned)draw(MODEL_SEQS) : m->next++ % MODEL_SEQS;
	uint64_t seq = model_seq(m, i), place = draw_place(), replaced = 1;
	bool is_transient = draw(2) == 0;
	int r;

	if (draw(4) == 0)
		mem_fault_after(1 + (int)draw(3));
	r = index_add(&index_, m->id, seq, place, is_transient, &replaced);
	mem_fault_after(-1);
	if (r < 0) {
		CU_ASSERT_EQUAL(r, -ENOMEM);
		CU_ASSERT_EQUAL(replaced, 1);
		return;
	}
	CU_ASSERT_EQUAL(replaced, m->entries[i].place);
	m->entries[i].place = place;
	m->entries[i].is_transient = is_transient;
	if (seq > m->last_seq)
		m->last_seq = seq;
}

/* From a single one to all there are. */
static void draw_range(unsigned *ret_first, unsigned *ret_last)
{
	static const unsigned widths[] = {1, 1, 1, 10, 300, MODEL_SEQS};
	unsigned width = widths[draw(sizeof(widths) / sizeof(*widths))];

	*ret_first = (unsigned)draw(MODEL_SEQS);
	*ret_last = *ret_first + (unsigned)draw(width);
	if (*ret_last >= MODEL_SEQS)
		*ret_last = MODEL_SEQS - 1;
}

static void step_settle(struct model *m)
{
	unsigned first, last;

	draw_range(&first, &last);
	if (draw(4) == 0)
		mem_fault_after(1);
	index_settle(&index_, m->id, model_seq(m, first), model_seq(m, last), model_gone, m);
	mem_fault_after(-1);
	for (unsigned i = first; i <= last; i++)
		CU_ASSERT_EQUAL(m->entries[i].place, 0);
}

static void step_requeue(struct model *m)
{
	unsigned first, last;

	draw_range(&first, &last);
	index_requeue(&index_, m->id, model_seq(m, first), model_seq(m, last), NULL, NULL);
	for (unsigned i = first; i <= last; i++)
		if (m->entries[i].place != 0 && m->entries[i].deliveries < INDEX_DELIVERIES_MAX)
			m->entries[i].deliveries++;
}

static void check_entry(struct model *m, unsigned i)
{
	struct index_entry entry;
	bool found = index_find(&index_, m->id, model_seq(m, i), &entry);

	CU_ASSERT_EQUAL(found, m->entries[i].place != 0);
	if (!found)
		return;
	CU_ASSERT_EQUAL(entry.place, m->entries[i].place);
	CU_ASSERT_EQUAL(entry.deliveries, m->entries[i].deliveries);
	CU_ASSERT_EQUAL(entry.is_transient, m->entries[i].is_transient);
}

static void step_move(struct model *m)
{
	unsigned i = (unsigned)draw(MODEL_SEQS);
	uint64_t to = draw_place();

	check_entry(m, i);
	if (m->entries[i].place == 0)
		return;
	CU_ASSERT_TRUE(index_move(&index_, m->id, model_seq(m, i), m->entries[i].place, to));
	m->entries[i].place = to;
}

static void step_forget(struct model *m)
{
	index_forget_queue(&index_, m->id, model_gone, m);
	m->last_seq = 0;
	for (unsigned i = 0; i < MODEL_SEQS; i++)
		CU_ASSERT_EQUAL(m->entries[i].place, 0);
}

static int count_visit(void *ctx, uint64_t seq, const struct index_entry *entry)
{
	(void)seq;
	(void)entry;
	(*(uint64_t *)ctx)++;
	return 0;
}

static void check_all(void)
{
	uint64_t n_all = 0;

	for (unsigned q = 0; q < MODEL_QUEUES; q++) {
		uint64_t n = 0, n_visited = 0;

		for (unsigned i = 0; i < MODEL_SEQS; i++) {
			check_entry(&models[q], i);
			n += models[q].entries[i].place != 0;
		}
		CU_ASSERT_EQUAL(index_visit(&index_, models[q].id, count_visit, &n_visited), 0);
		CU_ASSERT_EQUAL(n_visited, n);
		CU_ASSERT_EQUAL(index_last_seq(&index_, models[q].id), models[q].last_seq);
		n_all += n;
	}
	CU_ASSERT_EQUAL(index_count(&index_), n_all);
}

static void does_what_a_model_does(void)
{
	random_state = UINT64_C(0x2545f4914f6cdd1d);
	memcpy(models, model_kinds, sizeof(models));
	index_init(&index_);
	for (unsigned step = 0; step < MODEL_STEPS; step++) {
		struct model *m = &models[draw(MODEL_QUEUES)];
		uint64_t what = draw(1000);

		if (what < 800)
			step_add(m);
		else if (what < 850)
			step_settle(m);
		else if (what < 900)
			step_requeue(m);
		else if (what < 999)
			step_move(m);
		else
			step_forget(m);
		if (step % MODEL_FULL_CHECK == 0)
			check_all();
	}
	check_all();
	for (unsigned q = 0; q < MODEL_QUEUES; q++)
		step_forget(&models[q]);
	CU_ASSERT_EQUAL(index_count(&index_), 0);
	index_fini(&index_);
	CU_ASSERT_EQUAL(index_overhead(&index_), 0);
}

UNIT_MAIN("index_model", UNIT_TEST(does_what_a_model_does))
