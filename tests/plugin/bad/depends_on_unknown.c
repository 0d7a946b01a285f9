/* SPDX-License-Identifier: MIT */

/*
 * It depends on what no message has.
 * found by start: the exchange type 'x-bad' depends on 'property.colour', which is no field that can be named
 */

#define GOOD_DEPENDS bad_depends
#include "good.h"

static const char *const bad_depends[] = {"routing_key", "property.colour", NULL};

#include "good_plugin.h"
