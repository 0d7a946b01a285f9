/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_ROUTER_EXPLAIN_H
#define KERNEL_BROKER_ROUTER_EXPLAIN_H

/*
 * Why a message goes where it goes: it is routed as the router would, and everything that is looked
 * at on the way is written down. Nothing is published.
 *
 * There may be very many bindings and queues; of each list a limited part is written down, and all
 * are counted.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/slice.h"
#include "broker/broker.h"

struct message;
struct vhost;

#define EXPLAIN_EXCHANGES_MAX 200u /* more are not visited */
#define EXPLAIN_BINDINGS_MAX  1000u
#define EXPLAIN_QUEUES_MAX    1000u
#define EXPLAIN_ARGUMENTS_MAX                                                                      \
	4096u /* bytes of one binding's arguments; larger ones are left out                        \
	       */

enum explained_way {
	EXPLAINED_PUBLISHED, /* the message was published to it */
	EXPLAINED_BOUND,     /* a binding leads there */
	EXPLAINED_ALTERNATE, /* nothing matched, and it is the alternate exchange */
};

/* An exchange that was visited. */
struct explained_exchange {
	struct slice name;
	const char *type;
	bool is_internal;
	bool is_loaded;	  /* its type is; if not, nothing matches */
	bool is_observed; /* its type would be shown the message */
	enum explained_way way;
	size_t from;		 /* the exchange that led there; not of the first */
	size_t n_matched;	 /* bindings */
	struct slice alternate;	 /* the name of its alternate exchange; empty: none */
	bool alternate_is_used;	 /* nothing matched, and there is such an exchange */
	bool matches_reply_name; /* the default exchange: the key is a direct reply-to name */
};

/* A binding that matched. */
struct explained_binding {
	size_t exchange; /* of explanation.exchanges */
	struct slice routing_key, arguments, destination;
	bool destination_is_exchange;
	bool lacks_arguments; /* they are too long to show */
};

/* Belongs to the caller. All slices belong to it. */
struct explanation {
	struct explained_exchange *exchanges; /* in the order of the visits */
	struct explained_binding *bindings;   /* in the order of the exchanges */
	struct slice *queues;		      /* each once */
	size_t n_exchanges, n_bindings, n_queues;
	size_t n_all_bindings, n_all_queues; /* also those that are not written down */
	bool is_cut;			     /* exchanges were left out */
};

/* What is to be explained. extra_keys: of CC and BCC headers. */
struct explained_publish {
	struct vhost *vhost;
	struct slice user;	 /* who is said to publish it; empty: nobody */
	struct message *message; /* its exchange is where it begins */
	const struct slice *extra_keys;
	size_t n_extra_keys;
};

/*
 * On a loop's thread, outside of the read side. 0; -ENOENT: there is no such exchange; -ENOMEM.
 * After 0 call explanation_fini().
 */
int explain(struct broker *broker, const struct explained_publish *publish,
	    struct explanation *ret_explanation) MUST_USE;
void explanation_fini(struct explanation *explanation);

#endif
