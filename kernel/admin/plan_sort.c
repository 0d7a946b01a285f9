/* SPDX-License-Identifier: MIT */
/* The items of a plan in an order that is the same each time. On a worker. */
#include <stdlib.h>

#include "admin/plan.h"

/* By the first that differs; ends with n of them. */
static int compare(const struct slice *a, const struct slice *b, size_t n)
{
	int order = 0;

	for (size_t i = 0; i < n && order == 0; i++)
		order = slice_compare(a[i], b[i]);
	return order;
}

static int compare_vhosts(const void *a, const void *b)
{
	const struct plan_vhost *x = a, *y = b;

	return slice_compare(x->name, y->name);
}

static int compare_users(const void *a, const void *b)
{
	const struct plan_user *x = a, *y = b;

	return slice_compare(x->account.name, y->account.name);
}

static int compare_permissions(const void *a, const void *b)
{
	const struct permission_view *x = &((const struct plan_permission *)a)->view,
				     *y = &((const struct plan_permission *)b)->view;
	const struct slice left[] = {x->vhost, x->user}, right[] = {y->vhost, y->user};

	return compare(left, right, 2);
}

static int compare_topic_permissions(const void *a, const void *b)
{
	const struct topic_permission_view *x = &((const struct plan_topic_permission *)a)->view,
					   *y = &((const struct plan_topic_permission *)b)->view;
	const struct slice left[] = {x->vhost, x->user, x->exchange},
			   right[] = {y->vhost, y->user, y->exchange};

	return compare(left, right, 3);
}

static int compare_parameters(const void *a, const void *b)
{
	const struct parameter_view *x = &((const struct plan_parameter *)a)->view,
				    *y = &((const struct plan_parameter *)b)->view;
	const struct slice left[] = {x->vhost, x->component, x->name},
			   right[] = {y->vhost, y->component, y->name};

	return compare(left, right, 3);
}

static int compare_exchanges(const void *a, const void *b)
{
	const struct plan_exchange *x = a, *y = b;
	const struct slice left[] = {x->vhost, x->name}, right[] = {y->vhost, y->name};

	return compare(left, right, 2);
}

static int compare_queues(const void *a, const void *b)
{
	const struct plan_queue *x = a, *y = b;
	const struct slice left[] = {x->vhost, x->name}, right[] = {y->vhost, y->name};

	return compare(left, right, 2);
}

static int compare_bindings(const void *a, const void *b)
{
	const struct plan_binding *x = a, *y = b;
	const struct slice left[] = {x->vhost, x->source, x->destination},
			   right[] = {y->vhost, y->source, y->destination};
	const struct slice left_rest[] = {x->routing_key, x->arguments},
			   right_rest[] = {y->routing_key, y->arguments};
	int order = compare(left, right, 3);

	if (order == 0)
		order = y->destination_is_exchange - x->destination_is_exchange;
	return order != 0 ? order : compare(left_rest, right_rest, 2);
}

void plan_sort(struct plan *plan)
{
	static int (*const by[PLAN_KINDS])(const void *a, const void *b) = {
		[PLAN_VHOSTS] = compare_vhosts,
		[PLAN_USERS] = compare_users,
		[PLAN_PERMISSIONS] = compare_permissions,
		[PLAN_TOPIC_PERMISSIONS] = compare_topic_permissions,
		[PLAN_PARAMETERS] = compare_parameters,
		[PLAN_EXCHANGES] = compare_exchanges,
		[PLAN_QUEUES] = compare_queues,
		[PLAN_BINDINGS] = compare_bindings,
	};

	for (enum plan_kind kind = 0; kind < PLAN_KINDS; kind++)
		if (plan_count(plan, kind) > 1)
			qsort(plan->lists[kind].items, plan->lists[kind].n, plan_item_size(kind),
			      by[kind]);
}
