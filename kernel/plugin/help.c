/* SPDX-License-Identifier: MIT */
/* Files are opened and closed on a thread of their own: that may wait for the disk. */
#include "base/mem.h"
#include "loop/loop.h"
#include "plugin/plugin.h"

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
	if (plugins->helper != NULL)
		helper_finish(plugins->helper);
}

/* On the helper's thread. */
static void helper_told(void *context)
{
	struct helped *told = mem_zalloc(sizeof(*told));

	told->letter.deliver = helped;
	told->plugins = context;
	plugins_post_home(&told->letter);
}

void plugins_help_init(struct plugins *plugins)
{
	plugins->helper = helper_create(helper_told, plugins);
}

void plugins_help(struct plugins *plugins, struct helper_job *job)
{
	if (plugins->helper != NULL && loop_count() != 0 && helper_give(plugins->helper, job) == 0)
		return;
	job->run(job);
	job->done(job);
}

/* The letter may be under way still when the helper is gone. */
void plugins_finish_pending(struct plugins *plugins)
{
	struct helper *helper = plugins->helper;

	if (loop_self() != NULL)
		loop_pool_drain();
	helper_stop(helper);
	plugins->helper = NULL;
	helper_finish(helper);
	helper_destroy(helper);
	if (loop_self() != NULL)
		loop_pool_drain();
}
