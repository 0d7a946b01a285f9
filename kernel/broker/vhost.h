/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_VHOST_H
#define KERNEL_BROKER_VHOST_H

struct topology;
struct vhost;

/* Before the loops run: a vhost with its predeclared exchanges, entered in the topology. */
void vhost_create(struct topology *topology, const char *name);

/* After the loops have ended: frees it with all in it. */
void vhost_destroy(struct topology *topology, struct vhost *vhost);

#endif
