/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ADMIN_VHOSTS_H
#define KERNEL_ADMIN_VHOSTS_H

/* A vhost with all that belongs to it. */

#include "access/audit.h"
#include "admin/admin.h"
#include "broker/vhost/vhost.h"

/*
 * As vhost_submit(), and: one that is added gets full permissions for nobody (rabbitmqctl's way),
 * one that is deleted loses its permissions, topic permissions, parameters and policies as well.
 * change.broker is filled in.
 */
void admin_change_vhost(struct admin *admin, struct vhost_change *change,
			const struct audit_actor *actor);

#endif
