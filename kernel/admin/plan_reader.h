/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ADMIN_PLAN_READER_H
#define KERNEL_ADMIN_PLAN_READER_H

/* What the parts of plan_read.c share. What fails has set the reason and returns a negative
 * errno. */

#include <string.h>

#include "admin/plan.h"

struct plan_reader {
	struct plan *plan;
	const struct plan_options *options;
	struct plan_origin origin;
	bool has_secrets; /* passwords were replaced in the tree */
	char *reason;
	size_t size;
};

/* "queues[3].durable: ...", -EINVAL. member NULL: the item itself. */
int plan_fail(struct plan_reader *reader, const char *member, const char *format, ...)
	PRINTF_FORMAT(3, 4) COLD;
int plan_fail_memory(struct plan_reader *reader) COLD;

/* A new item with its origin; NULL when memory is out. */
void *plan_reader_add(struct plan_reader *reader, enum plan_kind kind);

/* A member that is a text, kept. Missing, or null: SLICE_EMPTY if it is not required. */
int plan_get_text(struct plan_reader *reader, const json_t *object, const char *member,
		  size_t size_max, bool is_required, struct slice *ret_text) MUST_USE;
static inline bool plan_has_nul(struct slice text)
{
	return text.size > 0 && memchr(text.data, '\0', text.size) != NULL;
}
/* One that is not empty, and has at most 255 bytes. */
int plan_get_name(struct plan_reader *reader, const json_t *object, const char *member,
		  struct slice *ret_name) MUST_USE;
int plan_get_pattern(struct plan_reader *reader, const json_t *object, const char *member,
		     struct slice *ret_pattern) MUST_USE;
int plan_get_bool(struct plan_reader *reader, const json_t *object, const char *member,
		  bool is_required, bool *ret_value) MUST_USE;
/* An array of texts, or one with commas between: with commas between. */
int plan_get_tags(struct plan_reader *reader, const json_t *object, const char *member,
		  struct slice *ret_tags) MUST_USE;
/* The item's, or that of all; it is needed. */
int plan_get_vhost(struct plan_reader *reader, const json_t *object,
		   struct slice *ret_vhost) MUST_USE;
/* The file, or the broker, must have it. */
int plan_need(struct plan_reader *reader, enum plan_reference_kind kind, const char *member,
	      struct slice name) MUST_USE;

/* Two of the same would be undone in the wrong order: -EINVAL, "a second WHAT". second: what there
 * is beside the first name; each has at most 255 bytes. */
int plan_only_once(struct plan_reader *reader, char kind, const char *what, struct slice vhost,
		   struct slice first, struct slice second) MUST_USE;

/*
 * RabbitMQ 3.10 writes some objects as arrays of pairs: an object of either. A new reference; NULL:
 * neither.
 */
json_t *plan_object(const json_t *value);

/* {"max-connections": 5}, as an object or pairs: -1 and below are no limit. */
struct plan_limit {
	const char *name;
	int64_t *value;
	bool *is_there;
};
int plan_get_limits(struct plan_reader *reader, const json_t *limits, const char *member,
		    const struct plan_limit *known, size_t n_known) MUST_USE;

/* An object of an item as a raw field table. plan_arguments.c */
int plan_get_arguments(struct plan_reader *reader, const json_t *object, const char *queue_type,
		       struct slice *ret_table) MUST_USE;

/* One for each section: of the file's object that is item number reader->origin.index. */
int plan_read_vhost(struct plan_reader *reader, json_t *object) MUST_USE;
int plan_read_user(struct plan_reader *reader, json_t *object) MUST_USE;
int plan_read_permission(struct plan_reader *reader, json_t *object) MUST_USE;
int plan_read_topic_permission(struct plan_reader *reader, json_t *object) MUST_USE;
int plan_read_parameter(struct plan_reader *reader, json_t *object) MUST_USE;
int plan_read_global_parameter(struct plan_reader *reader, json_t *object) MUST_USE;
int plan_read_policy(struct plan_reader *reader, json_t *object) MUST_USE;
int plan_read_exchange(struct plan_reader *reader, json_t *object) MUST_USE;
int plan_read_queue(struct plan_reader *reader, json_t *object) MUST_USE;
int plan_read_binding(struct plan_reader *reader, json_t *object) MUST_USE;

/* Limits of a vhost, from wherever. plan_access.c */
int plan_set_vhost_limits(struct plan_reader *reader, struct plan_vhost *vhost,
			  const json_t *limits, const char *member) MUST_USE;

#endif
