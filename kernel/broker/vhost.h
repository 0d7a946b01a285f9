/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_VHOST_H
#define KERNEL_BROKER_VHOST_H

#include "base/slice.h"

struct topology;
struct vhost;

/*
 * Before the loops run: a vhost with its predeclared exchanges, entered in the topology, without
 * instances (exchange_types_bring_to_life()). The name has no NUL, and no vhost has it.
 */
struct vhost *vhost_create(struct topology *topology, struct slice name);

/* After the loops have ended: frees it with all in it. */
void vhost_destroy(struct topology *topology, struct vhost *vhost);

#endif
