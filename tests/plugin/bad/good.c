/* SPDX-License-Identifier: MIT */

/* The one without a fault. */

#include "good.h"
#include "good_plugin.h"
