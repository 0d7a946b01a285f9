/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_HEADERS_PROBES_H
#define EXCHANGE_HEADERS_PROBES_H

/*
 * What a message is compared with first, densely: one probe for each binding. They stand in blocks
 * that do not move, all of which but the last are full; so no bind() copies more than the first
 * block, while that is small.
 */

#include <shunt/plugin.h>

#define PROBES_BLOCK 1024u

struct rule;

enum probe_kind {
	PROBE_RULE,  /* look at the rule */
	PROBE_EQUAL, /* look at it only if the header in `slot` is there with this digest */
};

struct probe {
	uint64_t digest;
	struct rule *rule;
	uint32_t slot;
	enum probe_kind kind;
};

struct probes {
	const struct shunt_host *host;
	struct probe **blocks;
	size_t block_count;
	size_t block_capacity; /* of `blocks` */
	size_t first_capacity; /* of the first block; the others have room for PROBES_BLOCK */
	size_t count;
};

void probes_init(struct probes *probes, const struct shunt_host *host);
void probes_fini(struct probes *probes);

/* Adds one. 0, or -1 when memory is out: then nothing has changed. */
int probes_add(struct probes *probes, struct probe probe);

/* Takes the last one away. */
void probes_drop(struct probes *probes);

static inline struct probe *probes_at(const struct probes *probes, size_t position)
{
	return &probes->blocks[position / PROBES_BLOCK][position % PROBES_BLOCK];
}

#endif
