/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ACCESS_ACCESS_H
#define KERNEL_ACCESS_ACCESS_H

/*
 * Who may enter and who may do what. Policies are registered; each is asked in turn until one does
 * not pass on. The built-in one knows the default_user of the configuration.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slice.h"

enum access_verdict {
	ACCESS_ALLOW,
	ACCESS_DENY,
	ACCESS_PASS, /* ask the next */
};

enum access_operation {
	ACCESS_VHOST, /* connection.open */
	ACCESS_CONFIGURE,
	ACCESS_WRITE,
	ACCESS_READ,
	ACCESS_WRITE_TOPIC, /* publish with this routing key to a topic exchange */
	ACCESS_READ_TOPIC,
};

enum access_resource { ACCESS_RESOURCE_QUEUE, ACCESS_RESOURCE_EXCHANGE, ACCESS_RESOURCE_VHOST };

/* An authenticated user, counted; shared by its connection's channels. */
struct access_user {
	unsigned refs; /* all of one connection: on one loop */
	char *name;
	char *tags; /* comma separated */
	char mechanism[16];
};
struct access_user *access_user_create(struct slice name, const char *tags, const char *mechanism);
struct access_user *access_user_ref(struct access_user *user);
void access_user_unref(struct access_user *user);

/* One question whether an operation is allowed. */
struct access_question {
	const struct access_user *user;
	enum access_operation operation;
	enum access_resource resource;
	struct slice vhost;
	struct slice name;
	struct slice routing_key; /* *_TOPIC */
	const char *peer_host;
};

/*
 * A login. Asked on the connection's loop, answered there by done(), perhaps inside the call,
 * perhaps much later. The asker keeps it in place until then. A password is wiped by the asker
 * afterwards.
 */
struct access_login {
	struct slice user, password;
	const char *mechanism;
	const char *peer_host; /* text of the address */
	bool peer_is_loopback;
	void (*done)(struct access_login *login);
	/* answers */
	struct access_user *result; /* NULL: refused. The asker's reference. */
	char reason[128];	    /* for the log, never for the peer */
};

/*
 * Owned by who registered it, and in place until the process ends. authenticate must end in one
 * done(); the first policy that has one decides. authorize may be called on any loop, several at
 * once; NULL passes on.
 */
struct access_policy {
	struct list link;
	const char *name;
	void (*authenticate)(struct access_policy *policy, struct access_login *login);
	enum access_verdict (*authorize)(struct access_policy *policy,
					 const struct access_question *question);
};

struct access;

/* Borrowed for the life of the access. */
struct access_config {
	const char *default_user, *default_pass, *default_user_tags;
	const char *const *loopback_users; /* NULL-terminated: refused from elsewhere */
};
struct access *access_create(const struct access_config *config);
void access_destroy(struct access *access);

/* Asked before those that are there: the last one registered is the first asked, the built-in one
 * the last. Before the loops run. */
void access_register(struct access *access, struct access_policy *policy);

void access_authenticate(struct access *access, struct access_login *login);
bool access_authorize(struct access *access, const struct access_question *question);

/* Grows whenever an answer of access_authorize could have changed. */
uint64_t access_generation(const struct access *access);

#endif
