/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_STORE_FORMAT_STAGE_H
#define TESTS_UNIT_STORE_FORMAT_STAGE_H

/* A data directory with one log, whose store has the id of format_bytes.h, for a test to fill. */

#include <stdint.h>

#include "fixture.h"
#include "format_bytes.h"

extern struct image the_image;

/* Without a segment; ids of queues below 100 have been given out. */
void format_begin(void);

/* Of things in it; static memory. */
const char *format_path(const char *name);
const char *format_segment(unsigned generation, unsigned log, unsigned serial);

/* the_image is a segment with the serial 1 and nothing before it. */
void format_first(void);
void format_add_open(uint64_t serial, uint64_t end, uint64_t synced);

/* Opens the store, to be closed by stage_clear(); reports are counted from here on. */
const struct replay *format_start(void);
/* Opening fails so. */
void format_refused(int expected);

#endif
