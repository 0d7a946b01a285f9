/* SPDX-License-Identifier: MIT */
#include "broker/change/reaper.h"

#include <unistd.h>

#include "../unit.h"
#include "loop/mailbox.h"
#include "upgrade_fixture.h"

/* Instances are destroyed one by one, as the test lets them: so it knows what the thread has done
 * before it destroys the next. */

#define N_BINDINGS 100000u

/* A letter that is sent while it is under way makes the loop turn for ever. */
#define LIMIT_S 120u

static _Atomic unsigned n_begun, n_allowed;

static void gated_destroy(void *state)
{
	unsigned nth = ++n_begun;

	while (nth > n_allowed)
		(void)sched_yield();
	fake_destroy(state);
}

static const struct shunt_exchange_type gated_direct = {
	.size = sizeof(struct shunt_exchange_type),
	.name = "direct",
	.create = next_create,
	.destroy = gated_destroy,
	.bind = next_bind,
	.unbind = fake_unbind,
	.route = fake_route,
};

static void wait_until_begun(unsigned n)
{
	while (n_begun < n)
		(void)sched_yield();
}

static const struct exchange *find(const char *name)
{
	topology_read_begin(broker->topology);
	const struct exchange *exchange = topology_exchange(vhost, slice_cstr(name));
	topology_read_end(broker->topology);
	return exchange;
}

static void bind_many(void)
{
	for (unsigned i = 0; i < N_BINDINGS; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%u", i);
		bind_ask(&asked, DECLARE_BIND, "q", "e", key, false);
		declare_submit(&asked.request);
		CU_ASSERT_TRUE_FATAL(asked.is_done);
	}
}

/* In the order in which they were declared, amq.direct before them, five instances wait for their
 * end; the thread is at the first. */
static void begin(void)
{
	router_begin(1);
	reset_upgrade();
	next_binds_left = UINT32_MAX;
	n_begun = n_allowed = 0;
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	for (const char *name = "efgh"; *name != '\0'; name++)
		CU_ASSERT_EQUAL(exchange_declare((const char[]){*name, '\0'}, "direct", 0), 0);
	bind_many();
	begin_upgrade(&gated_direct, "direct", 0);
	upgrade_swap(upgrade);
	while (upgrade)
		loop_run_once(false);
	ASSERT_SWAPPED();
	begin_upgrade(&next_direct, "direct", 0);
	upgrade_swap(upgrade);
	while (upgrade)
		loop_run_once(false);
	CU_ASSERT_EQUAL(told, UPGRADE_SWAPPED);
	wait_until_begun(1);
}

/* ---- The letter ---- */

/* When the turn's letters have been taken, and the task has not run yet. */
static void in_the_midst_of_a_turn(struct letter *letter)
{
	(void)letter;
	n_allowed = 3;
	wait_until_begun(4);
}

static void is_sent_again_only_when_it_has_come(void)
{
	struct letter letter = {.deliver = in_the_midst_of_a_turn};

	begin();
	ask_begin(&asked, DECLARE_QUEUE_DELETE, "q");
	declare_submit(&asked.request);
	while (!asked.is_done)
		loop_run_once(false);
	n_allowed = 2;
	wait_until_begun(3);
	while (find("e")->n_dying > 0)
		loop_run_once(false);

	/* The bindings that e's old instance knew keep the task busy. */
	loop_post(0, &letter);
	loop_run_once(false);
	CU_ASSERT_TRUE(find("e")->refs > 2);
	n_allowed = 4;
	wait_until_begun(5);
	n_allowed = UINT32_MAX;
	(void)alarm(LIMIT_S);
	ASSERT_SWAPPED();
	while (find("e")->refs > 1)
		loop_run_once(false);
	(void)alarm(0);
	router_end();
}

UNIT_MAIN("reaper", UNIT_TEST(is_sent_again_only_when_it_has_come))
