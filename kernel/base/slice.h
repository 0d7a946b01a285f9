/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_SLICE_H
#define KERNEL_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Bytes of someone else: borrowed, not NUL-terminated, any content. data may be NULL if size is 0.
 */
struct slice {
	const uint8_t *data;
	size_t size;
};

/* For initialisers and arguments; of a string literal only. */
#define SLICE_LITERAL(literal) ((struct slice){(const uint8_t *)("" literal), sizeof(literal) - 1})
#define SLICE_EMPTY	       ((struct slice){NULL, 0})

/* printf("queue " SLICE_FMT, SLICE_ARG(name)); for trusted bytes, else log_quote(). */
#define SLICE_FMT    "%.*s"
#define SLICE_ARG(s) (int)(s).size, (s).size > 0 ? (const char *)(s).data : ""

static inline struct slice slice_make(const void *data, size_t size)
{
	return (struct slice){data, size};
}

static inline struct slice slice_cstr(const char *string)
{
	return (struct slice){(const uint8_t *)string, strlen(string)};
}

static inline bool slice_is_empty(struct slice s)
{
	return s.size == 0;
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
	return s.size >= prefix.size &&
	       (prefix.size == 0 || memcmp(s.data, prefix.data, prefix.size) == 0);
}

/* For slice_copy(). */
void slice_copy_long(uint8_t *to, struct slice from);

/*
 * Copies all of it. Names and the like are short: up to 32 bytes go without a call, by two
 * overlapping halves.
 */
static inline void slice_copy(uint8_t *to, struct slice from)
{
	const uint8_t *data = from.data;
	size_t n = from.size;

	if (n > 32) {
		slice_copy_long(to, from);
	} else if (n >= 16) {
		uint8_t head[16], tail[16];

		memcpy(head, data, 16);
		memcpy(tail, data + n - 16, 16);
		memcpy(to, head, 16);
		memcpy(to + n - 16, tail, 16);
	} else if (n >= 8) {
		uint64_t head, tail;

		memcpy(&head, data, 8);
		memcpy(&tail, data + n - 8, 8);
		memcpy(to, &head, 8);
		memcpy(to + n - 8, &tail, 8);
	} else if (n >= 4) {
		uint32_t head, tail;

		memcpy(&head, data, 4);
		memcpy(&tail, data + n - 4, 4);
		memcpy(to, &head, 4);
		memcpy(to + n - 4, &tail, 4);
	} else if (n > 0) {
		uint8_t middle = data[n / 2], last = data[n - 1];

		to[0] = data[0];
		to[n / 2] = middle;
		to[n - 1] = last;
	}
}

/* <0, 0, >0: by bytes, a prefix comes first. */
int slice_compare(struct slice a, struct slice b);

/*
 * XXH3 with a seed drawn at the process's start, so that peers cannot aim at a bucket. Not for
 * anything kept or sent.
 */
uint64_t slice_hash(struct slice s);

/* XXH3 with that seed: the same for ever and on every machine. */
uint64_t slice_stable_hash(struct slice s, uint64_t seed);

/* Whether a setting of that name is not to be shown: it has "pass", "secret" or the like in it. */
bool slice_names_secret(const char *name);

/*
 * A NUL-terminated copy on the heap (mem_free()); bytes after an embedded NUL are there but hidden
 * to C strings.
 */
char *slice_strdup(struct slice s);

#endif
