/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ADMIN_PARAMETERS_H
#define KERNEL_ADMIN_PARAMETERS_H

/*
 * RabbitMQ's runtime parameters: named JSON values of a vhost and a component, and global ones.
 * Policies are parameters of the component "policy", operator policies of "operator_policy":
 * objects with "apply-to", "definition", "pattern" and "priority". They are kept, and have no
 * effect yet. Limits of vhosts are not here ("vhost-limits" in RabbitMQ): broker/vhost/vhost.h has them.
 *
 * They are definitions of the store ("parameter/VHOST/COMPONENT/NAME", "global-parameter/NAME").
 * All at home. Whether a vhost exists is not known here.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/slice.h"

struct broker;
struct parameters;

#define PARAMETER_POLICY	  SLICE_LITERAL("policy")
#define PARAMETER_OPERATOR_POLICY SLICE_LITERAL("operator_policy")

struct parameter_view {
	struct slice vhost; /* data NULL: a global one, without a component */
	struct slice component, name;
	struct slice value; /* JSON */
};

/*
 * Changes that happen together or not at all: durable first, then visible. Filled by the asker, who
 * keeps it, and what it points to, until done(), which does not run inside the call.
 */
struct parameters_edits {
	const struct parameter_view *items; /* value.data NULL: it goes, if it is there */
	size_t n;
	struct slice forget; /* all of this vhost go; data NULL: of none */
	void (*done)(struct parameters_edits *edits);
	void *context; /* the asker's */
	int result;    /* 0, -EINVAL (a name that is too long), -ENOMEM, -EIO */
	void *work;
};
void parameters_edit(struct parameters *parameters, struct parameters_edits *edits);

/* Slices are valid until the next change. */
bool parameters_find(const struct parameters *parameters, const struct parameter_view *like,
		     struct parameter_view *ret_parameter);
/* In the order of vhosts, components and names, global ones first. data NULL: of all. */
void parameters_each(const struct parameters *parameters, struct slice vhost,
		     struct slice component,
		     void (*visit)(void *context, const struct parameter_view *parameter),
		     void *context);
size_t parameters_count(const struct parameters *parameters);

/* Before the loops run: takes what the store holds. 0, or -1 with one line of reason: something
 * cannot be read, and stays. */
int parameters_restore(struct broker *broker, struct parameters **ret_parameters, char *ret_reason,
		       size_t size) MUST_USE;
/* After the broker's end, which waits for what is on its way to the store. Accepts NULL. */
void parameters_destroy(struct parameters *parameters);

#endif
