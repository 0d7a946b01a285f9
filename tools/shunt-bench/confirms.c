/* SPDX-License-Identifier: MIT */
#include "confirms.h"

#include "base/mem.h"

void confirms_init(struct confirms *confirms, unsigned window)
{
	uint64_t size = 64;

	/* room for stragglers: four windows */
	while (size < (uint64_t)window * 4)
		size *= 2;
	*confirms = (struct confirms){.window = window, .mask = size - 1};
	confirms->times = mem_zalloc(size * sizeof(*confirms->times));
}

void confirms_fini(struct confirms *confirms)
{
	mem_free(confirms->times);
	confirms->times = NULL;
}

static bool settle_one(struct confirms *confirms, uint64_t tag, bool is_nack, uint64_t now_ns,
		       struct histogram *latencies)
{
	uint64_t *time = &confirms->times[tag & confirms->mask];

	if (*time == 0)
		return false;
	if (latencies != NULL)
		histogram_add(latencies, now_ns > *time ? now_ns - *time : 0);
	*time = 0;
	confirms->outstanding--;
	if (is_nack)
		confirms->nacked++;
	else
		confirms->confirmed++;
	return true;
}

void confirms_settle(struct confirms *confirms, uint64_t tag, bool multiple, bool is_nack,
		     uint64_t now_ns, struct histogram *latencies)
{
	if (tag <= confirms->base || tag > confirms->published) {
		confirms->wrong++;
		return;
	}
	if (multiple) {
		for (uint64_t t = confirms->base + 1; t <= tag; t++)
			(void)settle_one(confirms, t, is_nack, now_ns, latencies);
		confirms->base = tag;
	} else if (!settle_one(confirms, tag, is_nack, now_ns, latencies)) {
		confirms->wrong++;
	}
	while (confirms->base < confirms->published &&
	       confirms->times[(confirms->base + 1) & confirms->mask] == 0)
		confirms->base++;
}
