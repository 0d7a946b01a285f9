/* SPDX-License-Identifier: MIT */
#include "panel.h"

#include <string.h>

#include "base/mem.h"
#include "trace.h"

#define TRIES_OF_CHANCE 8

static void ask(const struct instance *i, const struct letter *letter, uint8_t *answer)
{
	const struct test_message *message = letter_post(letter);

	instance_route(i, message, answer);
	letter_revoke(message);
}

static bool same(const struct panel *panel, const struct instance *i, size_t k, uint8_t *again)
{
	ask(i, &panel->letters[k], again);
	return memcmp(again, panel->answers + k * panel->answer_size, panel->answer_size) == 0;
}

void panel_init(struct panel *panel, const struct instance *i, size_t n)
{
	uint8_t *again = mem_zalloc(i->scene->n + 1);

	*panel = (struct panel){.n = n, .answer_size = i->scene->n};
	panel->letters = mem_zalloc(n * sizeof(*panel->letters));
	panel->answers = mem_zalloc(n * panel->answer_size + 1);
	for (size_t k = 0; k < n; k++) {
		letter_init(&panel->letters[k]);
		letter_make(&panel->letters[k], i->scene);
		ask(i, &panel->letters[k], panel->answers + k * panel->answer_size);
		for (unsigned t = 0; t < TRIES_OF_CHANCE && !panel->is_random; t++)
			panel->is_random = !same(panel, i, k, again);
	}
	mem_free(again);
}

void panel_fini(struct panel *panel)
{
	for (size_t k = 0; k < panel->n; k++)
		letter_fini(&panel->letters[k]);
	mem_free(panel->letters);
	mem_free(panel->answers);
}

/* By chance, or for good: an instance that now differs with itself is random. */
static bool is_by_chance(const struct panel *panel, const struct instance *i, size_t k)
{
	uint8_t *first = mem_zalloc(panel->answer_size + 1);
	uint8_t *again = mem_zalloc(panel->answer_size + 1);
	bool differs = false;

	ask(i, &panel->letters[k], first);
	for (unsigned t = 0; t < 64 && !differs; t++) {
		ask(i, &panel->letters[k], again);
		differs = memcmp(first, again, panel->answer_size) != 0;
	}
	mem_free(first);
	mem_free(again);
	return differs;
}

void panel_expect(const struct panel *panel, const struct instance *i, const char *when)
{
	uint8_t *again = mem_zalloc(panel->answer_size + 1);

	for (size_t k = 0; k < panel->n && !panel->is_random; k++)
		if (!same(panel, i, k, again) && !is_by_chance(panel, i, k))
			trace_fail("route() answers another way since %s: for the message key %s",
				   when, letter_quote(&panel->letters[k]));
	mem_free(again);
}
