/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include "contract.h"
#include "disk_stage.h"

#include "../unit.h"

static void set_up(void)
{
	contract_use(disk_stage_create);
}

UNIT_MAIN("store/disk_store", UNIT_TEST(set_up), CONTRACT_TESTS)
