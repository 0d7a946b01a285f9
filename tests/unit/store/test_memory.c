/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include "contract.h"

#include "../unit.h"

static void set_up(void)
{
	contract_use(store_memory_create);
}

UNIT_MAIN("store/memory", UNIT_TEST(set_up), CONTRACT_TESTS)
