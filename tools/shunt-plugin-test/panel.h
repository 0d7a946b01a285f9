/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_PLUGIN_TEST_PANEL_H
#define TOOLS_SHUNT_PLUGIN_TEST_PANEL_H

/* Messages, and the answers that an instance gave to them: whether it still gives them. */

#include "instance.h"

struct panel {
	struct letter *letters;
	uint8_t *answers;
	size_t n, answer_size;
	bool is_random; /* answers differ by chance: nothing can be expected */
};

void panel_init(struct panel *panel, const struct instance *i, size_t n);
void panel_fini(struct panel *panel);
/* Ends the check if an answer is another one since `when`. */
void panel_expect(const struct panel *panel, const struct instance *i, const char *when);

#endif
