/* SPDX-License-Identifier: MIT */
#include "access/throttle.h"

#include <stdio.h>
#include <string.h>

#include "../unit.h"

#define NOW UINT64_C(1000000)

static struct throttle_address of(const char *host)
{
	return throttle_address_of(slice_cstr(host), false);
}

static bool same(const char *a, const char *b)
{
	struct throttle_address x = of(a), y = of(b);

	return memcmp(x.bytes, y.bytes, sizeof(x.bytes)) == 0;
}

static void addresses(void)
{
	CU_ASSERT_TRUE(same("10.0.0.1", "10.0.0.1"));
	CU_ASSERT_FALSE(same("10.0.0.1", "10.0.0.2"));
	CU_ASSERT_FALSE(same("10.0.0.1", "::1"));
	/* a network of 64 bits is one client's */
	CU_ASSERT_TRUE(same("2001:db8::1", "2001:db8::ffff:1:2:3"));
	CU_ASSERT_FALSE(same("2001:db8::1", "2001:db8:0:1::1"));
	CU_ASSERT_TRUE(same("fe80::1%eth0", "fe80::2"));
	/* what is none */
	CU_ASSERT_TRUE(same("unix", ""));
	CU_ASSERT_FALSE(same("unix", "::"));
	CU_ASSERT_TRUE(same("unix", "a text that is far too long for any address that there could ever be, and then some more of it"));
}

static unsigned take_all(struct throttle *throttle, const struct throttle_address *address, uint64_t now_ms)
{
	unsigned n = 0;

	while (n < 10000 && throttle_take(throttle, address, now_ms))
		n++;
	CU_ASSERT_FALSE(throttle_may(throttle, address, now_ms));
	return n;
}

static void a_burst_then_one_by_one(void)
{
	struct throttle *throttle = throttle_create();
	struct throttle_address address = of("10.0.0.1");

	CU_ASSERT_TRUE(throttle_may(throttle, &address, NOW));
	CU_ASSERT_EQUAL(take_all(throttle, &address, NOW), THROTTLE_BURST);
	CU_ASSERT_FALSE(throttle_take(throttle, &address, NOW + THROTTLE_REFILL_MS - 1));
	CU_ASSERT_EQUAL(take_all(throttle, &address, NOW + THROTTLE_REFILL_MS), 1);
	CU_ASSERT_EQUAL(take_all(throttle, &address, NOW + 4 * THROTTLE_REFILL_MS), 3);
	/* asking in vain costs nothing */
	CU_ASSERT_EQUAL(take_all(throttle, &address, NOW + 5 * THROTTLE_REFILL_MS), 1);
	CU_ASSERT_EQUAL(take_all(throttle, &address, NOW + 1000 * THROTTLE_REFILL_MS), THROTTLE_BURST);
	throttle_destroy(throttle);
}

static void others_are_not_touched(void)
{
	struct throttle *throttle = throttle_create();
	struct throttle_address bad = of("10.0.0.1"), good = of("10.0.0.2");

	(void)take_all(throttle, &bad, NOW);
	CU_ASSERT_EQUAL(take_all(throttle, &good, NOW), THROTTLE_BURST);
	throttle_destroy(throttle);
}

static void who_was_right_pays_nothing(void)
{
	struct throttle *throttle = throttle_create();
	struct throttle_address address = of("10.0.0.1");

	for (unsigned i = 0; i < 10 * THROTTLE_BURST; i++) {
		CU_ASSERT_TRUE(throttle_take(throttle, &address, NOW));
		throttle_give_back(throttle, &address, NOW + 30);
	}
	/* more than there can be is not gathered */
	throttle_give_back(throttle, &address, NOW + 30);
	CU_ASSERT(take_all(throttle, &address, NOW + 30) <= THROTTLE_BURST);
	throttle_destroy(throttle);
}

static void many_share_a_loopback_address(void)
{
	struct throttle *throttle = throttle_create();
	struct throttle_address address = throttle_address_of(SLICE_LITERAL("127.0.0.1"), true);

	CU_ASSERT_EQUAL(take_all(throttle, &address, NOW), THROTTLE_BURST * THROTTLE_LOOPBACK_TIMES);
	CU_ASSERT_EQUAL(take_all(throttle, &address, NOW + THROTTLE_REFILL_MS), THROTTLE_LOOPBACK_TIMES);
	throttle_destroy(throttle);
}

/* More addresses than there are places: who has failed much is not forgotten for those with one failure. */
/* Whoever guesses at the loopback address does not lock out the operator, nor does he them. */
static void the_control_socket_is_exempt(void)
{
	struct throttle *throttle = throttle_create();
	struct throttle_address local = throttle_address_of(slice_cstr("::1"), true), root = local;

	root.is_exempt = true;
	for (unsigned i = 0; i < 2 * THROTTLE_BURST * THROTTLE_LOOPBACK_TIMES; i++)
		CU_ASSERT_TRUE(throttle_take(throttle, &root, NOW));
	throttle_give_back(throttle, &root, NOW);
	CU_ASSERT_EQUAL(take_all(throttle, &local, NOW), THROTTLE_BURST * THROTTLE_LOOPBACK_TIMES);
	CU_ASSERT_TRUE(throttle_may(throttle, &root, NOW));
	CU_ASSERT_TRUE(throttle_take(throttle, &root, NOW));
	throttle_destroy(throttle);
}

static void when_it_is_full(void)
{
	struct throttle *throttle = throttle_create();
	struct throttle_address bad = of("192.0.2.1");
	unsigned n_forgotten = 0;
	char host[32];

	(void)take_all(throttle, &bad, NOW);
	for (unsigned i = 0; i < 10 * THROTTLE_N_SETS * THROTTLE_WAYS; i++) {
		struct throttle_address address;

		snprintf(host, sizeof(host), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		address = of(host);
		CU_ASSERT_TRUE(throttle_take(throttle, &address, NOW));
		n_forgotten += throttle_may(throttle, &bad, NOW);
	}
	CU_ASSERT_EQUAL(n_forgotten, 0);
	throttle_destroy(throttle);
}

UNIT_MAIN("access/throttle", UNIT_TEST(addresses), UNIT_TEST(a_burst_then_one_by_one), UNIT_TEST(others_are_not_touched),
	  UNIT_TEST(who_was_right_pays_nothing), UNIT_TEST(many_share_a_loopback_address),
	  UNIT_TEST(the_control_socket_is_exempt), UNIT_TEST(when_it_is_full))
