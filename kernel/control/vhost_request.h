/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_VHOST_REQUEST_H
#define KERNEL_CONTROL_VHOST_REQUEST_H

/*
 * A change of a vhost that a client has ordered. The client may go meanwhile: then it is made all
 * the same. On loop 0.
 */

#include "admin/vhosts.h"
#include "control/client.h"

struct vhost_request {
	struct vhost_change change; /* filled by the command */
	struct actor_ref client;    /* from here on its own */
	json_t *texts;		    /* what the change points to */
	/* Tells the client of a failure; false: in the usual way. NULL: always so. */
	bool (*fail)(struct control_client *client, const struct vhost_change *change);
};

/* For the vhost that the request names by this member. NULL: that is missing, and the client has
 * been told. */
struct vhost_request *vhost_request_create(struct control_client *client, const json_t *request,
					   const char *member, enum vhost_operation operation);

/* A copy of a text, valid as long as this. */
struct slice vhost_request_keep(struct vhost_request *self, const char *key, const char *text);

/* Orders it; the client is told how it went. */
void vhost_request_submit(struct control_client *client, struct vhost_request *self);
void vhost_request_free(struct vhost_request *self);

/* As rabbitmqctl says it most of the time: Virtual host 'x' does not exist. */
void vhost_request_fail_missing(struct control_client *client, struct slice name);

extern const struct control_command control_vhost_commands[];	    /* vhost_commands.c */
extern const struct control_command control_vhost_limit_commands[]; /* vhost_limit_commands.c */

#endif
