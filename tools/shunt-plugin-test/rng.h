/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_PLUGIN_TEST_RNG_H
#define TOOLS_SHUNT_PLUGIN_TEST_RNG_H

/* Numbers that are the same for the same seed (splitmix64). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t x;
};

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t x = rng->x += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* 0 to n - 1. */
static inline size_t rng_below(struct rng *rng, size_t n)
{
	return (size_t)(rng_next(rng) % n);
}

static inline bool rng_one_in(struct rng *rng, size_t n)
{
	return rng_below(rng, n) == 0;
}

/* Another sequence for each of `salt`, whatever was drawn before. */
static inline struct rng rng_fork(uint64_t seed, uint64_t salt)
{
	struct rng rng = {seed ^ (salt + 1) * 0xd1342543de82ef95u};

	(void)rng_next(&rng);
	return rng;
}

#endif
