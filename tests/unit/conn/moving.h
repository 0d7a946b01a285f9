/* SPDX-License-Identifier: MIT */
/* A broker on two loops, and a connection that goes from one to the other. For the one that includes it. */
#ifndef TESTS_UNIT_CONN_MOVING_H
#define TESTS_UNIT_CONN_MOVING_H

#ifndef WORLD_PLACEMENT
#define WORLD_PLACEMENT PLACEMENT_NEAR
#endif
#include "conversation.h"
#include "conn/placement/move.h"

static struct client a, b; /* on loop 0 and, at first, on loop 1 */

#define ON_0  SLICE_LITERAL("on-0")
#define ON_1  SLICE_LITERAL("on-1")
#define PLAIN SLICE_LITERAL("\0\0")

static inline void turn(unsigned loop)
{
	loop_pool_visit(loop, turn_here, NULL);
}

/* A method without fields. */
static inline void put_bare(struct client *client, uint16_t channel, uint32_t id)
{
	struct amqp_method m = {.id = id};

	put_method(client, channel, &m);
}

static inline void start(void)
{
	world_create();
	client_connect(&a, 0);
	client_connect(&b, 1);
	begin(&a);
	begin(&b);
	PUT(&a, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = ON_0);
	PUT(&b, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = ON_1);
	settle(&a, &b);
}

static inline void stop(void)
{
	client_end(&a);
	client_end(&b);
	settle(&a, &b);
	world_destroy();
}

/* b's connection, which was the second; NULL: on no loop. */
static inline struct connection *find_on(unsigned loop)
{
	struct list *pos;

	list_for_each(pos, &service->loops[loop].connections)
		if (container_of(pos, struct connection, link)->number == 2)
			return container_of(pos, struct connection, link);
	return NULL;
}

static inline bool is_on(unsigned loop)
{
	return find_on(loop) != NULL && find_on(!loop) == NULL;
}

struct question {
	unsigned loop;
	enum move_obstacle obstacle;
	bool begins;
};

static inline void ask(void *context)
{
	struct question *q = context;
	struct connection *c = find_on(q->loop);

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	q->obstacle = move_obstacle(c);
}

static inline void try(void *context)
{
	struct question *q = context;

	q->begins = move_begin(find_on(q->loop), !q->loop);
}

static inline enum move_obstacle obstacle(void)
{
	struct question q = {.loop = 1};

	loop_pool_visit(1, ask, &q);
	return q.obstacle;
}

/* Begins to move b's connection from where it is. */
static inline bool begin_move(void)
{
	struct question q = {.loop = find_on(1) != NULL ? 1 : 0};

	loop_pool_visit(q.loop, try, &q);
	return q.begins;
}

static inline void move(void)
{
	unsigned from = find_on(1) != NULL ? 1 : 0;

	CU_ASSERT_TRUE(begin_move());
	settle(&a, &b);
	CU_ASSERT_TRUE(is_on(!from));
}

#endif
