/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_VHOST_FIXTURE_H
#define TESTS_UNIT_BROKER_VHOST_FIXTURE_H

/* Changes of vhosts, asked for at home; and a server that closes connections when it is told to. */

#include "broker/vhost/vhost.h"
#include "restore_fixture.h"

#define TURNS_MAX 2000

struct changing {
	struct vhost_change change;
	bool is_done;
};

static inline void change_done(struct vhost_change *change)
{
	container_of(change, struct changing, change)->is_done = true;
}

static inline struct vhost_settings limits(int64_t connections, int64_t queues)
{
	return (struct vhost_settings){.max_connections = connections, .max_queues = queues};
}

static inline void change_begin_with(struct changing *c, enum vhost_operation operation,
				     const char *name, struct vhost_settings settings)
{
	*c = (struct changing){.change = {.operation = operation,
					  .broker = broker,
					  .name = slice_cstr(name),
					  .settings = settings,
					  .done = change_done}};
	vhost_submit(&c->change);
	CU_ASSERT_FALSE(c->is_done); /* not inside the call */
}

static inline void change_begin(struct changing *c, enum vhost_operation operation,
				const char *name)
{
	change_begin_with(c, operation, name, limits(VHOST_NO_LIMIT, VHOST_NO_LIMIT));
}

static inline int change_wait(struct changing *c)
{
	for (int i = 0; i < TURNS_MAX && !c->is_done; i++)
		turn();
	CU_ASSERT_TRUE_FATAL(c->is_done);
	return c->change.result;
}

static inline int change_with(enum vhost_operation operation, const char *name,
			      struct vhost_settings settings)
{
	struct changing c;

	change_begin_with(&c, operation, name, settings);
	return change_wait(&c);
}

static inline int change(enum vhost_operation operation, const char *name)
{
	return change_with(operation, name, limits(VHOST_NO_LIMIT, VHOST_NO_LIMIT));
}

/* What the fixtures ask is asked in it from now on. */
static inline bool enter(const char *name)
{
	vhost = topology_vhost(broker->topology, slice_cstr(name));
	return vhost != NULL;
}

/* ---- Connections ---- */

static struct vhost_closing *closing; /* the last one */
static unsigned n_closings;

static inline void hold_closing(void *context, struct vhost_closing *asked_closing)
{
	CU_ASSERT_PTR_EQUAL(context, &n_closings);
	closing = asked_closing;
	n_closings++;
}

static inline void watch_closing(void)
{
	n_closings = 0;
	closing = NULL;
	broker->vhost_closing = hold_closing;
	broker->vhost_closing_context = &n_closings;
}

#endif
