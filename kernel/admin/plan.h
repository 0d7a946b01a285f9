/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ADMIN_PLAN_H
#define KERNEL_ADMIN_PLAN_H

/*
 * What a definitions file says, as a list of items for each kind: what an import does, and what an
 * export writes. A plan belongs to one thread at a time; nothing of the broker is looked at here,
 * so it is read, sorted, written and freed on a worker. Texts lie in the plan.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "access/accounts.h"
#include "admin/parameters.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/map.h"
#include "base/slice.h"
#include "broker/vhost/vhost.h"

enum plan_kind {
	PLAN_VHOSTS,
	PLAN_USERS,
	PLAN_PERMISSIONS,
	PLAN_TOPIC_PERMISSIONS,
	PLAN_PARAMETERS, /* policies and global ones, too */
	PLAN_EXCHANGES,
	PLAN_QUEUES,
	PLAN_BINDINGS,
	PLAN_KINDS,
};

/* Where in the file an item is: "queues[3]". */
struct plan_origin {
	const char *section;
	size_t index;
};

/* What an import needs to undo an item. */
struct plan_past {
	bool is_made;	/* the change is done */
	void *previous; /* what was there before, as the kind's view; NULL: nothing */
};

enum plan_vhost_has {
	PLAN_HAS_DESCRIPTION = 1,
	PLAN_HAS_TAGS = 2,
	PLAN_HAS_QUEUE_TYPE = 4,
	PLAN_HAS_LIMITS = 8,
};

struct plan_vhost {
	struct plan_origin origin;
	struct slice name;
	unsigned has; /* enum plan_vhost_has: which settings count */
	struct vhost_settings settings;
	struct plan_past past;
};

struct plan_user {
	struct plan_origin origin;
	struct account_view account;
	bool has_password, has_limits; /* else one that is there keeps its own */
	struct plan_past past;
};

struct plan_permission {
	struct plan_origin origin;
	struct permission_view view;
	struct plan_past past;
};

struct plan_topic_permission {
	struct plan_origin origin;
	struct topic_permission_view view;
	struct plan_past past;
};

struct plan_parameter {
	struct plan_origin origin;
	struct parameter_view view;
	struct plan_past past;
};

struct plan_exchange {
	struct plan_origin origin;
	struct slice vhost, name, type, arguments; /* arguments: a raw table */
	bool durable, auto_delete, internal;
	bool is_made; /* by the import */
};

struct plan_queue {
	struct plan_origin origin;
	struct slice vhost, name, arguments;
	bool durable, auto_delete;
	bool is_made;
};

struct plan_binding {
	struct plan_origin origin;
	struct slice vhost, source, destination, routing_key, arguments;
	bool destination_is_exchange;
	bool is_made;
};

struct plan_list {
	void *items; /* of the kind's struct */
	size_t n, capacity;
};

/* What an item names and the file does not define: it has to be there. */
enum plan_reference_kind { PLAN_NEEDS_VHOST = 'v', PLAN_NEEDS_USER = 'u', PLAN_NEEDS_TYPE = 't' };
struct plan_reference {
	struct plan_reference *next;
	enum plan_reference_kind kind;
	struct slice name;
	struct plan_origin origin; /* the first that names it */
	const char *member;
};

struct plan {
	struct plan_list lists[PLAN_KINDS];
	struct plan_reference *references;
	struct map names;	/* "v/...", "u/...", "x/VHOST/...", "q/VHOST/..." */
	struct buffer warnings; /* a line each */
	size_t n_warnings;
	struct plan_chunk *chunks;
};

struct plan *plan_create(void);
/* Accepts NULL. */
void plan_destroy(struct plan *plan);

/* A new item, zero, behind the others; NULL when memory is out. Its place is not for ever. */
void *plan_add(struct plan *plan, enum plan_kind kind);
void *plan_item(const struct plan *plan, enum plan_kind kind, size_t index);
size_t plan_item_size(enum plan_kind kind);
static inline size_t plan_count(const struct plan *plan, enum plan_kind kind)
{
	return plan->lists[kind].n;
}

/* A copy that lives as long as the plan; an empty one has data, too. data NULL: memory is out. */
struct slice plan_keep(struct plan *plan, struct slice text);
void *plan_alloc(struct plan *plan, size_t size); /* aligned, zero; NULL: memory is out */

/* At most PLAN_WARNINGS_MAX lines; the rest is counted. */
#define PLAN_WARNINGS_MAX 100
void plan_warn(struct plan *plan, const char *format, ...) PRINTF_FORMAT(2, 3);

/*
 * Remembers a name, of at most PLAN_PAIR_MAX bytes. 0; -EEXIST: it is there already; -ENOMEM.
 * vhost: of what is in one.
 */
#define PLAN_PAIR_MAX (1 + 2 * 255)
int plan_name(struct plan *plan, char kind, struct slice vhost, struct slice name) MUST_USE;
bool plan_has_name(const struct plan *plan, char kind, struct slice vhost, struct slice name);

struct plan_options {
	struct slice vhost; /* of items that name none (a file of a single vhost); data NULL: they
			       are refused */
	bool skips_unbuilt; /* a queue that Shunt cannot have yet is left out, with a warning */
};

/*
 * Reads a file, and looks at everything that can be known without the broker. -EINVAL: refused,
 * -ENOMEM; with one line of reason, which begins with the path of the value.
 *
 * *ret_text, if not NULL, is the file without passwords, if it has any: hashes are in their place.
 */
#define PLAN_SIZE_MAX ((size_t)256 << 20)
int plan_read(struct slice text, const struct plan_options *options, struct plan **ret_plan,
	      struct buffer *ret_text, char *ret_reason, size_t size) MUST_USE;

/* Sorts the items, each kind by its names. */
void plan_sort(struct plan *plan);
/*
 * Writes the items as a file's sections, for each item a line of JSON: [SECTION, OBJECT]. A user
 * whose hash RabbitMQ cannot read goes with an empty one, and with a warning; a name that is not
 * UTF-8 cannot be written, and is left out, with a warning.
 */
void plan_write(struct plan *plan, struct buffer *ret_lines);

/* "queues[3]" */
#define PLAN_ORIGIN	      "%s[%zu]"
#define PLAN_ORIGIN_ARG(item) (item)->origin.section, (item)->origin.index

#endif
