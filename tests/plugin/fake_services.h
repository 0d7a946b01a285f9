/* SPDX-License-Identifier: MIT */
#ifndef TESTS_PLUGIN_FAKE_SERVICES_H
#define TESTS_PLUGIN_FAKE_SERVICES_H

/*
 * What the fake host offers since ABI 1.2. Messages that are held are copies, so that a plugin that
 * looks at one that it has released is seen by a sanitizer; drafts that are published are kept for
 * the test to look at; timers and posts run when the test says so.
 */

#include "fake_host.h"

/* What a plugin has published, oldest first. */
struct fake_draft {
	struct shunt_draft draft; /* first */
	struct fake_host *host;
	struct fake_draft *next;
	struct shunt_bytes vhost, exchange, routing_key, body; /* own copies */
	unsigned changes;				       /* headers and properties set */
};

/* Where bound() sends. */
struct fake_sender {
	struct shunt_sender sender; /* first */
	const struct shunt_message *messages[64];
	size_t count; /* of those sent; what is beyond the array is only counted */
	size_t left;  /* how many are taken before memory is out */
};

void fake_sender_init(struct fake_sender *sender);

/* Fills the members of host->host. */
void fake_services_init(struct fake_host *host);

/* Runs what the plugin has posted, and fires each timer that is started, once. */
void fake_services_run(struct fake_host *host);

/* Frees what the plugin need not free: counters, published drafts. Nothing else may be left. */
void fake_services_fini(struct fake_host *host);

#endif
