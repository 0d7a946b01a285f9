/* SPDX-License-Identifier: MIT */
/* The lists of connections: by number, whatever way they came. */
#define WORLD_PLACEMENT PLACEMENT_NEAR
#include "conversation.h"
#include "conn/placement/move.h"

enum { N = 8 };
static struct client clients[N];

struct numbers {
	uint64_t numbers[N];
	unsigned n;
};

static void note(void *context, const struct connection *c)
{
	struct numbers *seen = context;

	CU_ASSERT_FATAL(seen->n < N);
	seen->numbers[seen->n++] = c->number;
}

static void go(void *unused)
{
	struct list *pos, *next;

	(void)unused;
	list_for_each_safe(pos, next, &conn_loop_self(service)->connections) {
		struct connection *c = container_of(pos, struct connection, link);

		if (c->number % 4 == 0)
			CU_ASSERT_TRUE(move_begin(c, 0));
	}
}

/* Loop 0's, in pages of the size; those with odd numbers, and some that came later. */
static void check_pages(unsigned size)
{
	struct numbers seen = {0};
	uint64_t last = 0, before;

	do {
		before = seen.n;
		last = conn_service_list(service, last, size, note, &seen);
		CU_ASSERT_TRUE(seen.n - before <= size);
		CU_ASSERT_TRUE(last == 0 || last == seen.numbers[seen.n - 1]);
	} while (last != 0);
	CU_ASSERT_EQUAL_FATAL(seen.n, 6);
	for (unsigned i = 1; i < seen.n; i++)
		CU_ASSERT_TRUE(seen.numbers[i - 1] < seen.numbers[i]);
}

static void it_is_listed_in_its_place(void)
{
	world_create();
	for (unsigned i = 0; i < N; i++) {
		client_connect(&clients[i], i % 2);
		begin(&clients[i]);
		settle(&clients[i], &clients[0]);
	}
	loop_pool_visit(1, go, NULL);
	settle(&clients[0], &clients[1]);
	for (unsigned size = 1; size <= 6; size++)
		check_pages(size);
	check_pages(CONN_SERVICE_LIST_MAX);
	for (unsigned i = 0; i < N; i++)
		client_end(&clients[i]);
	settle(&clients[0], &clients[1]);
	CU_ASSERT_EQUAL(conn_service_list(service, 0, 1, note, NULL), 0);
	world_destroy();
}

UNIT_MAIN("conn/service", UNIT_TEST(it_is_listed_in_its_place))
