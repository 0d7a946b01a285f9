/* SPDX-License-Identifier: MIT */
/* Files are opened and closed on threads of their own: that may wait for the disk, and scripts run
 * their tests. */
#include "base/mem.h"
#include "loop/loop.h"
#include "plugin/plugin.h"

/* What works in a test of a script works on a loop, whose thread has as much. */
#define SCRIPT_STACK_BYTES ((size_t)8 << 20)

/* One each time: while some jobs are being finished, the next may come back, and after it another.
 */
struct helped {
	struct letter letter;
	struct plugins *plugins;
};

static void helped(struct letter *letter)
{
	struct helped *told = container_of(letter, struct helped, letter);
	struct plugins *plugins = told->plugins;

	mem_free(told);
	for (size_t i = 0; i < PLUGIN_HELPERS; i++)
		if (plugins->helpers[i] != NULL)
			helper_finish(plugins->helpers[i]);
}

/* On a helper's thread. */
static void helper_told(void *context)
{
	struct helped *told = mem_zalloc(sizeof(*told));

	told->letter.deliver = helped;
	told->plugins = context;
	plugins_post_home(&told->letter);
}

void plugins_help_init(struct plugins *plugins)
{
	for (size_t i = 0; i < PLUGIN_HELPERS; i++)
		plugins->helpers[i] = helper_create(helper_told, plugins);
	helper_use_stack(plugins->helpers[PLUGIN_HELP_SCRIPTS], SCRIPT_STACK_BYTES);
	helper_use_stack(plugins->helpers[PLUGIN_HELP_CHECKS], SCRIPT_STACK_BYTES);
}

void plugins_help(struct plugins *plugins, enum plugin_helper which, struct helper_job *job)
{
	struct helper *helper = plugins->helpers[which];

	if (helper != NULL && loop_count() != 0 && helper_give(helper, job) == 0)
		return;
	job->run(job);
	job->done(job);
}

/* What comes back may want another helper, which then runs it here. */
static void finish(struct plugins *plugins, size_t which)
{
	struct helper *helper = plugins->helpers[which];

	helper_stop(helper);
	plugins->helpers[which] = NULL;
	helper_finish(helper);
	helper_destroy(helper);
}

/* The letter may be under way still when the helper is gone. */
void plugins_finish_pending(struct plugins *plugins)
{
	if (loop_self() != NULL)
		loop_pool_drain();
	for (size_t i = PLUGIN_HELPERS; i > 0; i--)
		finish(plugins, i - 1);
	if (loop_self() != NULL)
		loop_pool_drain();
}
