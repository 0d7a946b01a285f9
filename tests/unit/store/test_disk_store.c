/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include <errno.h>

#include "contract.h"
#include "disk_stage.h"
#include "fixture.h"
#include "store/disk.h"

#include "../unit.h"

static void set_up(void)
{
	contract_use(disk_stage_create);
}

/* Nothing else would sync it: the segment is not written to any more. */
static void what_precedes_a_write_that_failed_is_synced(void)
{
	struct entry lazy, failing;
	struct body body;

	stage_set(1);
	stage_lead();
	body_set(&body, 1);
	put(&body, 1, 1);
	entry_begin(&lazy);
	lazy.append.is_lazy = true;
	entry_add(&lazy, STORE_SETTLE, 1, 1, 1);
	CU_ASSERT_EQUAL(entry_do(&lazy), STORE_DURABLE);
	const uint64_t n_syncs = stats().syncs;
	disk_fault_filter(DISK_WRITE);
	disk_fault_at(1, EIO, false);
	entry_begin(&failing);
	entry_enqueue(&failing, entry_publish(&failing, &body), 1, 2, 0);
	CU_ASSERT_EQUAL(entry_do(&failing), STORE_ERROR);
	disk_fault_off();
	CU_ASSERT_EQUAL(stats().syncs, n_syncs + 1);
	stage_clear();
}

UNIT_MAIN("store/disk_store", UNIT_TEST(set_up), CONTRACT_TESTS,
	  UNIT_TEST(what_precedes_a_write_that_failed_is_synced))
