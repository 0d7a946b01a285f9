/* SPDX-License-Identifier: MIT */
#include "broker/upgrade/trial.h"

#include "../unit.h"
#include "upgrade_fixture.h"

static struct trial_report report;

static void begin(bool is_wrong, unsigned percent)
{
	router_begin(1);
	reset_upgrade();
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_declare("r", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "a"), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "amq.direct", "b"), 0);
	next_is_wrong = is_wrong;
	begin_upgrade(&next_direct, "direct", percent);
	turn();
	CU_ASSERT_EQUAL(n_ready, 1);
}

static void look(void)
{
	trial_report(broker->topology, upgrade_trial(upgrade), &report);
}

static void publish_n(const char *key, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		CU_ASSERT_TRUE(publish("amq.direct", key));
}

static void drop(void)
{
	upgrade_drop(upgrade);
	turn();
	free_when_unused(new_type);
	CU_ASSERT_FALSE(topology_has_trials(broker->topology));
	CU_ASSERT_TRUE(publish("amq.direct", "a"));
	router_end();
}

static bool is_name(const struct trial_name *name, const char *text)
{
	return name->size == strlen(text) && memcmp(name->text, text, name->size) == 0;
}

static void same(void)
{
	begin(false, 100);
	publish_n("a", 10);
	publish_n("nowhere", 5);
	look();
	CU_ASSERT_EQUAL(report.percent, 100);
	CU_ASSERT_EQUAL(report.n_compared, 15);
	CU_ASSERT_EQUAL(report.n_different, 0);
	CU_ASSERT_EQUAL(report.n_samples, 0);
	CU_ASSERT_EQUAL(ready("q"), 10); /* once each */
	drop();
}

/* Messages of one batch with the same key are asked for once, but for a trial. */
static void batch(void)
{
	struct publication publications[20];
	struct publish_batch b = {.publications = publications, .count = 20};

	begin(false, 100);
	b.vhost = vhost;
	for (unsigned i = 0; i < 20; i++)
		publications[i] = (struct publication){.message = make_message("amq.direct", "a")};
	CU_ASSERT_EQUAL(router_publish(broker, &b, &error), 20);
	look();
	CU_ASSERT_EQUAL(report.n_compared, 20);
	CU_ASSERT_EQUAL(ready("q"), 20);
	drop();
}

static void share(unsigned percent, unsigned n_published, unsigned n_compared)
{
	begin(false, percent);
	publish_n("a", n_published);
	look();
	CU_ASSERT_EQUAL(report.percent, percent);
	CU_ASSERT_EQUAL(report.n_compared, n_compared);
	CU_ASSERT_EQUAL(ready("q"), n_published);
	drop();
}

static void shares(void)
{
	share(1, 300, 3);
	share(50, 100, 50);
	share(33, 200, 66);
}

/* The new version is a fanout: it has what the old one has, and more. */
static void differences(void)
{
	begin(true, 100);
	CU_ASSERT_EQUAL(exchange_bind("amq.fanout", "amq.direct", "c"), 0);
	publish_n("a", 3);
	look();
	CU_ASSERT_EQUAL(report.n_compared, 3);
	CU_ASSERT_EQUAL(report.n_different, 3);
	CU_ASSERT_EQUAL(report.n_only_old, 0);
	CU_ASSERT_EQUAL(report.n_only_new, 6);
	CU_ASSERT_EQUAL_FATAL(report.n_samples, 3);
	const struct trial_sample *sample = &report.samples[2];

	CU_ASSERT_TRUE(is_name(&sample->vhost, "/"));
	CU_ASSERT_TRUE(is_name(&sample->exchange, "amq.direct"));
	CU_ASSERT_TRUE(is_name(&sample->routing_key, "a"));
	CU_ASSERT_EQUAL(sample->n_only_old, 0);
	CU_ASSERT_EQUAL(sample->n_only_new, 2);
	CU_ASSERT_TRUE(is_name(&sample->only_new[0], "r"));
	CU_ASSERT_FALSE(sample->only_new[0].is_exchange);
	CU_ASSERT_TRUE(is_name(&sample->only_new[1], "amq.fanout"));
	CU_ASSERT_TRUE(sample->only_new[1].is_exchange);
	CU_ASSERT_EQUAL(ready("q"), 3); /* where the old one sends them, and nowhere else */
	CU_ASSERT_EQUAL(ready("r"), 0);
	drop();
}

static void gives_nothing(const void *state, const struct shunt_message *message,
			  struct shunt_sink *sink)
{
	(void)state;
	(void)message;
	(void)sink;
}

static void only_old(void)
{
	struct shunt_exchange_type silent = next_direct;

	silent.route = gives_nothing;
	begin(false, 100);
	upgrade_drop(upgrade);
	turn();
	free_when_unused(new_type);
	CU_ASSERT_EQUAL(queue_bind("r", "amq.direct", "a"), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "amq.direct", "a2"), 0);
	begin_upgrade(&silent, "direct", 100);
	turn();
	publish_n("a", 1);
	look();
	CU_ASSERT_EQUAL(report.n_different, 1);
	CU_ASSERT_EQUAL(report.n_only_old, 2);
	CU_ASSERT_EQUAL(report.n_only_new, 0);
	CU_ASSERT_EQUAL_FATAL(report.n_samples, 1);
	CU_ASSERT_TRUE(is_name(&report.samples[0].only_old[0], "q"));
	CU_ASSERT_TRUE(is_name(&report.samples[0].only_old[1], "r"));
	drop();
}

/* More differences than there is room for samples, and one sample a second then. */
static void samples_are_bounded(void)
{
	begin(true, 100);
	publish_n("a", 1000);
	look();
	CU_ASSERT_EQUAL(report.n_different, 1000);
	CU_ASSERT_TRUE(report.n_samples >= 4 && report.n_samples <= TRIAL_SAMPLES);
	drop();
}

static void in_step(void)
{
	begin(false, 100);
	CU_ASSERT_EQUAL(queue_bind("r", "amq.direct", "a"), 0);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "a"), 0);
	turn();
	CU_ASSERT_TRUE(publish("e", "a"));
	publish_n("a", 1);
	CU_ASSERT_EQUAL(queue_unbind("q", "amq.direct", "a"), 0);
	publish_n("a", 1);
	CU_ASSERT_EQUAL(queue_delete("r", false, false), 0);
	publish_n("b", 1);
	look();
	CU_ASSERT_EQUAL(report.n_compared, 4);
	CU_ASSERT_EQUAL(report.n_different, 0);
	drop();
}

static void promoted(void)
{
	begin(true, 100);
	upgrade_swap(upgrade);
	turn();
	ASSERT_SWAPPED();
	CU_ASSERT_FALSE(topology_has_trials(broker->topology));
	publish_n("a", 1);
	CU_ASSERT_EQUAL(ready("q"), 1);
	CU_ASSERT_EQUAL(ready("r"), 1);
	CU_ASSERT_EQUAL(n_adopted, 1);
	router_end();
}

/* A shadow that could not be told of a binding is not asked any more. */
static void ends_when_it_fails(void)
{
	begin(false, 100);
	publish_n("a", 1);
	CU_ASSERT_EQUAL(queue_bind("r", "amq.direct", "old!"), 0);
	publish_n("old!", 1);
	CU_ASSERT_EQUAL(ready("r"), 1);
	turn();
	ASSERT_FAILED("exchange 'amq.direct' in vhost '/', binding to queue 'r' with key 'old!': "
		      "PRECONDITION_FAILED - keys like that are over");
	router_end();
}

UNIT_MAIN("trial", UNIT_TEST(same), UNIT_TEST(batch), UNIT_TEST(shares), UNIT_TEST(differences),
	  UNIT_TEST(only_old), UNIT_TEST(samples_are_bounded), UNIT_TEST(in_step),
	  UNIT_TEST(promoted), UNIT_TEST(ends_when_it_fails))
