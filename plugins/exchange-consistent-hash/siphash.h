/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_CONSISTENT_HASH_SIPHASH_H
#define EXCHANGE_CONSISTENT_HASH_SIPHASH_H

/*
 * SipHash-2-4 (Aumasson, Bernstein, 2012): the same on every machine, and even with a key that
 * everybody knows nobody makes many texts of one hash, as can be done for the host's stable_hash().
 */

#include <shunt/plugin.h>

uint64_t siphash(uint64_t key0, uint64_t key1, struct shunt_bytes text);

#endif
