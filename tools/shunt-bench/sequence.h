/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_SEQUENCE_H
#define TOOLS_SHUNT_BENCH_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What one consumer got of one producer's messages in one queue. Their numbers count from 0
 * without gaps. Each consumer must see them ascending; all consumers of the queue together must
 * see each once, which is told by count and by a sum of hashes, without keeping a set.
 */
struct sequence {
	uint64_t next; /* the largest number seen, plus 1 */
	uint64_t count;
	uint64_t hash;
	uint64_t backward; /* came after a larger or an equal number */
};

/* What is wrong with all messages of a run. */
struct faults {
	uint64_t lost;
	uint64_t doubled;
	uint64_t reordered;
	uint64_t mixed;	      /* queues in which as many were lost as doubled */
	uint64_t redelivered; /* bore the flag, though nothing was given back */
	uint64_t foreign;     /* no messages of ours: wrong size or an unknown producer */
	uint64_t nacked;
	uint64_t unconfirmed;
	uint64_t confirmed_wrongly;
	uint64_t returned;
};

static inline uint64_t sequence_mix(uint64_t x)
{
	x = (x ^ x >> 31) * UINT64_C(0x7fb5d329728ea185);
	x = (x ^ x >> 27) * UINT64_C(0x81dadef4bc2dd44d);
	return x ^ x >> 33;
}

static inline void sequence_take(struct sequence *sequence, uint64_t number)
{
	sequence->count++;
	sequence->hash += sequence_mix(number + 1);
	if (number >= sequence->next)
		sequence->next = number + 1;
	else
		sequence->backward++;
}

/* Adds what another consumer of the same queue got. */
void sequence_merge(struct sequence *sequence, const struct sequence *other);

/* Judges what all consumers of a queue got of a producer that published `published` to it. */
void sequence_judge(const struct sequence *sequence, uint64_t published, struct faults *faults);

/* True when there is any. */
bool faults_any(const struct faults *faults);

#endif
