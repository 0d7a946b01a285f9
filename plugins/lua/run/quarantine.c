/* SPDX-License-Identifier: MIT */

#include "run/quarantine.h"

#include <string.h>

#define SECOND_NS   1000000000u
#define SECONDS_MAX 60u

void quarantine_init(struct quarantine *quarantine, uint32_t after)
{
	memset(quarantine, 0, sizeof(*quarantine));
	quarantine->after = after;
}

static unsigned seconds_of(uint32_t rounds)
{
	return rounds < 6 ? 1u << rounds : SECONDS_MAX;
}

enum quarantine_answer quarantine_ask(struct quarantine *quarantine, enum call_kind kind,
				      uint64_t now_ns)
{
	struct quarantine_kind *of = &quarantine->of_kind[kind];
	uint64_t until = atomic_load_explicit(&of->until_ns, memory_order_relaxed);
	uint64_t next;

	if (until == 0)
		return QUARANTINE_CALL;
	if (now_ns < until)
		return QUARANTINE_REFUSES;
	/* should the trial never end, there is another one after the same time */
	next = now_ns + (uint64_t)seconds_of(atomic_load(&of->rounds)) * SECOND_NS;
	if (!atomic_compare_exchange_strong(&of->until_ns, &until, next))
		return QUARANTINE_REFUSES;
	return QUARANTINE_TRIAL;
}

void quarantine_succeeded(struct quarantine *quarantine, enum call_kind kind)
{
	struct quarantine_kind *of = &quarantine->of_kind[kind];

	if (atomic_load_explicit(&of->failures, memory_order_relaxed) == 0)
		return;
	atomic_store(&of->failures, 0);
	atomic_store(&of->rounds, 0);
	atomic_store(&of->until_ns, 0);
}

unsigned quarantine_failed(struct quarantine *quarantine, enum call_kind kind, bool trial,
			   bool grave, uint64_t now_ns)
{
	struct quarantine_kind *of = &quarantine->of_kind[kind];
	uint32_t failures = atomic_fetch_add(&of->failures, 1) + 1;
	uint64_t none = 0;
	unsigned seconds;

	if (quarantine->after == 0 || kind == CALL_LOAD || kind == CALL_TEST ||
	    (failures < quarantine->after && !grave))
		return 0;
	seconds = seconds_of(atomic_load(&of->rounds));
	if (trial)
		atomic_store(&of->until_ns, now_ns + (uint64_t)seconds * SECOND_NS);
	else if (!atomic_compare_exchange_strong(&of->until_ns, &none,
						 now_ns + (uint64_t)seconds * SECOND_NS))
		return 0; /* a call on another loop, which began before, was faster */
	atomic_fetch_add(&of->rounds, 1);
	return seconds;
}
