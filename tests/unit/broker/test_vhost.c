/* SPDX-License-Identifier: MIT */
#include "broker/vhost/vhost.h"

#include <errno.h>

#include "../unit.h"
#include "vhost_fixture.h"

/* ---- Adding ---- */

static void added_when_it_is_stored(void)
{
	struct changing c;

	begin(2);
	int before = fake_instances;
	store_holds = true;
	change_begin(&c, VHOST_ADD, "new");
	CU_ASSERT_FALSE(enter("new"));
	turn();
	CU_ASSERT_FALSE(c.is_done);
	CU_ASSERT_FALSE(enter("new"));
	store_release();
	CU_ASSERT_EQUAL(change_wait(&c), 0);
	CU_ASSERT_TRUE_FATAL(enter("new"));
	CU_ASSERT_EQUAL(fake_instances, before + 2); /* amq.direct, amq.fanout */
	CU_ASSERT_TRUE(has_exchange("amq.topic"));
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "k"), 0);
	CU_ASSERT_EQUAL(publish("amq.direct", "k", "a"), 0);
	ASSERT_DRAINED("q", "a");
	CU_ASSERT_TRUE(enter("/"));
	CU_ASSERT_FALSE(has_queue("q"));
	restart();
	CU_ASSERT_TRUE_FATAL(enter("new"));
	CU_ASSERT_TRUE(has_queue("q"));
	CU_ASSERT_EQUAL(topology_vhost_count(broker->topology), 2);
	end();
}

static void what_cannot_be_added(void)
{
	char name[257];

	begin(1);
	memset(name, 'n', 256);
	name[256] = '\0';
	CU_ASSERT_EQUAL(change(VHOST_ADD, "/"), -EEXIST);
	CU_ASSERT_EQUAL(change(VHOST_ADD, ""), -EINVAL);
	CU_ASSERT_EQUAL(change(VHOST_ADD, name), -EINVAL);
	name[255] = '\0';
	CU_ASSERT_EQUAL(change(VHOST_ADD, name), 0);
	CU_ASSERT_EQUAL(topology_vhost_count(broker->topology), 2);
	store_fails = true;
	CU_ASSERT_EQUAL(change(VHOST_ADD, "new"), -EIO);
	CU_ASSERT_FALSE(enter("new"));
	store_fails = false;
	CU_ASSERT_EQUAL(count_stored("vhost/"), 2);
	CU_ASSERT_EQUAL(change(VHOST_ADD, "new"), 0);
	end();
}

static int refuse_vhost(void *plugin, const struct shunt_exchange *exchange,
			struct shunt_error *error)
{
	(void)plugin;
	if (exchange->vhost.size != 7)
		return 0;
	fake_say(error, SHUNT_PRECONDITION_FAILED, "not there");
	return -1;
}

static void refused_by_a_type(void)
{
	static const struct shunt_exchange_type topic =
		FAKE_TYPE("topic", fake_create_fanout, .validate = refuse_vhost);
	struct changing c;

	begin(1);
	register_type(&topic);
	int before = fake_instances;
	change_begin(&c, VHOST_ADD, "refused");
	CU_ASSERT_EQUAL(change_wait(&c), -EINVAL);
	CU_ASSERT_STRING_EQUAL(c.change.reason, "PRECONDITION_FAILED - not there");
	CU_ASSERT_EQUAL(fake_instances, before);
	CU_ASSERT_EQUAL(count_stored("vhost/"), 1);
	CU_ASSERT_EQUAL(change(VHOST_ADD, "taken"), 0);
	CU_ASSERT_EQUAL(fake_instances, before + 4);
	end();
}

/* ---- Settings ---- */

static char seen[256];

static void see(void *context, struct slice name, const struct vhost_settings *settings)
{
	size_t used = strlen(seen);

	CU_ASSERT_PTR_EQUAL(context, seen);
	(void)snprintf(seen + used, sizeof(seen) - used,
		       "[" SLICE_FMT "|" SLICE_FMT "|" SLICE_FMT "|" SLICE_FMT "|%lld|%lld]",
		       SLICE_ARG(name), SLICE_ARG(settings->description), SLICE_ARG(settings->tags),
		       SLICE_ARG(settings->default_queue_type),
		       (long long)settings->max_connections, (long long)settings->max_queues);
}

#define DEFAULT_SEEN "[/|Default virtual host|||-1|-1]"

static const char *list_all(unsigned limit)
{
	uint64_t at = 0;

	seen[0] = '\0';
	do
		at = vhost_list(broker, at, limit, see, seen);
	while (at != 0);
	return seen;
}

static const char *see_all(void)
{
	return list_all(100);
}

static void lists(void)
{
	begin(1);
	for (const char *name = "edcba"; *name; name++)
		CU_ASSERT_EQUAL(change(VHOST_ADD, (char[]){*name, '\0'}), 0);
	CU_ASSERT_EQUAL(change(VHOST_DELETE, "d"), 0);
	for (unsigned limit = 1; limit < 8; limit++)
		CU_ASSERT_STRING_EQUAL(list_all(limit),
				       DEFAULT_SEEN "[e||||-1|-1][c||||-1|-1][b||||-1|-1]"
						    "[a||||-1|-1]");
	end();
}

static void settings_are_kept(void)
{
	struct vhost_settings settings = {.description = SLICE_LITERAL("some text"),
					  .tags = SLICE_LITERAL("a,b"),
					  .default_queue_type = SLICE_LITERAL("quorum"),
					  .max_connections = 3,
					  .max_queues = 0};
	struct vhost_settings got;

	begin(1);
	CU_ASSERT_EQUAL(change_with(VHOST_ADD, "z", settings), 0);
	CU_ASSERT_EQUAL(change(VHOST_ADD, "!"), 0);
	CU_ASSERT_STRING_EQUAL(see_all(), DEFAULT_SEEN "[z|some text|a,b|quorum|3|0][!||||-1|-1]");
	settings.max_queues = 1;
	settings.description = SLICE_EMPTY;
	CU_ASSERT_EQUAL(change_with(VHOST_SET, "z", settings), 0);
	CU_ASSERT_EQUAL(change_with(VHOST_SET, "none", settings), -ENOENT);
	CU_ASSERT_FALSE(vhost_settings_of(broker, SLICE_LITERAL("none"), &got));
	CU_ASSERT_TRUE_FATAL(vhost_settings_of(broker, SLICE_LITERAL("z"), &got));
	CU_ASSERT_EQUAL(got.max_queues, 1);
	for (unsigned keep = 1; keep <= VHOST_KEEP_LIMITS; keep *= 2) {
		struct changing c = {.change = {.operation = VHOST_SET,
						.broker = broker,
						.name = SLICE_LITERAL("z"),
						.settings = settings,
						.keep = keep,
						.done = change_done}};

		c.change.settings.description =
			keep == VHOST_KEEP_DESCRIPTION ? SLICE_LITERAL("no") : SLICE_EMPTY;
		if (keep == VHOST_KEEP_TAGS)
			c.change.settings.tags = SLICE_LITERAL("no");
		if (keep == VHOST_KEEP_DEFAULT_QUEUE_TYPE)
			c.change.settings.default_queue_type = SLICE_LITERAL("no");
		if (keep == VHOST_KEEP_LIMITS)
			c.change.settings.max_queues = c.change.settings.max_connections = 9;
		vhost_submit(&c.change);
		CU_ASSERT_EQUAL(change_wait(&c), 0);
		CU_ASSERT_STRING_EQUAL(see_all(), DEFAULT_SEEN "[z||a,b|quorum|3|1][!||||-1|-1]");
	}
	store_fails = true;
	settings.max_queues = 7;
	CU_ASSERT_EQUAL(change_with(VHOST_SET, "z", settings), -EIO);
	store_fails = false;
	restart(); /* in the order of the store's keys */
	CU_ASSERT_STRING_EQUAL(see_all(), "[!||||-1|-1]" DEFAULT_SEEN "[z||a,b|quorum|3|1]");
	end();
}

/* Deletions are asked for in between, too. */
static void changes_of_one_vhost_run_in_turn(void)
{
	struct changing c[6];

	begin(1);
	store_holds = true;
	change_begin(&c[0], VHOST_ADD, "v");
	change_begin(&c[1], VHOST_ADD, "v");
	turn();
	change_begin_with(&c[2], VHOST_SET, "v", limits(1, 1));
	change_begin_with(&c[3], VHOST_SET, "v", limits(2, 2));
	change_begin(&c[4], VHOST_DELETE, "v");
	change_begin(&c[5], VHOST_ADD, "v");
	store_holds = false; /* only the first commit */
	store_release();
	CU_ASSERT_EQUAL(change_wait(&c[5]), -EBUSY);
	CU_ASSERT_EQUAL(change_wait(&c[4]), 0);
	CU_ASSERT_EQUAL(change_wait(&c[0]), 0);
	CU_ASSERT_EQUAL(change_wait(&c[1]), -EEXIST);
	CU_ASSERT_EQUAL(change_wait(&c[2]), 0);
	CU_ASSERT_EQUAL(change_wait(&c[3]), 0);
	CU_ASSERT_STRING_EQUAL(see_all(), DEFAULT_SEEN);
	end();
}

/* The one that could not be added leaves nothing for those who waited for it. */
static void waiting_for_what_is_not_added(void)
{
	struct changing c[3];

	begin(1);
	store_holds = store_fails = true;
	change_begin(&c[0], VHOST_ADD, "v");
	change_begin(&c[1], VHOST_SET, "v");
	change_begin(&c[2], VHOST_DELETE, "v");
	turn();
	store_fails = store_holds = false;
	store_release();
	CU_ASSERT_EQUAL(change_wait(&c[0]), -EIO);
	CU_ASSERT_EQUAL(change_wait(&c[1]), -ENOENT);
	CU_ASSERT_EQUAL(change_wait(&c[2]), -ENOENT);
	CU_ASSERT_EQUAL(count_stored("vhost/"), 1);
	end();
}

/* ---- Limits ---- */

static void limit_of_queues(void)
{
	begin(2);
	CU_ASSERT_EQUAL(change_with(VHOST_ADD, "v", limits(VHOST_NO_LIMIT, 2)), 0);
	CU_ASSERT_TRUE_FATAL(enter("v"));
	CU_ASSERT_EQUAL(queue_declare("a", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_declare("b", EXCLUSIVE), 0);
	CU_ASSERT_EQUAL(queue_declare("c", 0), 406);
	ASSERT_SAID("PRECONDITION_FAILED - cannot declare queue 'c': queue limit in vhost 'v' (2) "
		    "is reached");
	CU_ASSERT_EQUAL(queue_declare("d", DURABLE), 406);
	CU_ASSERT_EQUAL(queue_declare("a", DURABLE), 0); /* it is there */
	CU_ASSERT_EQUAL(queue_delete("b", false, false), 0);
	CU_ASSERT_EQUAL(queue_declare("c", 0), 0);
	CU_ASSERT_EQUAL(change_with(VHOST_SET, "v", limits(VHOST_NO_LIMIT, 0)), 0);
	CU_ASSERT_EQUAL(queue_declare("d", DURABLE), 406);
	CU_ASSERT_EQUAL(change(VHOST_SET, "v"), 0);
	CU_ASSERT_EQUAL(queue_declare("d", DURABLE), 0);
	CU_ASSERT_EQUAL(count_stored("queue/"), 2);
	end();
}

static void limit_of_connections(void)
{
	int64_t limit = 0;

	begin(1);
	CU_ASSERT_EQUAL(change_with(VHOST_ADD, "v", limits(2, VHOST_NO_LIMIT)), 0);
	CU_ASSERT_TRUE_FATAL(enter("v"));
	CU_ASSERT_TRUE(vhost_take_connection(vhost, &limit));
	CU_ASSERT_TRUE(vhost_take_connection(vhost, &limit));
	CU_ASSERT_FALSE(vhost_take_connection(vhost, &limit));
	CU_ASSERT_EQUAL(limit, 2);
	CU_ASSERT_EQUAL(change_with(VHOST_SET, "v", limits(0, VHOST_NO_LIMIT)), 0);
	vhost_give_connection(vhost);
	CU_ASSERT_FALSE(vhost_take_connection(vhost, &limit));
	CU_ASSERT_EQUAL(limit, 0);
	CU_ASSERT_EQUAL(change(VHOST_SET, "v"), 0);
	CU_ASSERT_TRUE(vhost_take_connection(vhost, &limit));
	vhost_give_connection(vhost);
	vhost_give_connection(vhost);
	end();
}

UNIT_MAIN("vhost", UNIT_TEST(added_when_it_is_stored), UNIT_TEST(what_cannot_be_added),
	  UNIT_TEST(refused_by_a_type), UNIT_TEST(lists), UNIT_TEST(settings_are_kept),
	  UNIT_TEST(changes_of_one_vhost_run_in_turn), UNIT_TEST(waiting_for_what_is_not_added),
	  UNIT_TEST(limit_of_queues), UNIT_TEST(limit_of_connections))
