/* SPDX-License-Identifier: MIT */
/* What a plugin wants to be called for at home, from any thread. */
#include "base/mem.h"
#include "plugin/host.h"
#include "plugin/plugin.h"

struct post {
	struct letter letter;
	struct plugin *plugin; /* held */
	void (*run)(void *context);
	void *context;
};

/* Nothing is called any more of what has been stopped. */
static void deliver(struct letter *letter)
{
	struct post *post = container_of(letter, struct post, letter);
	struct plugin *plugin = post->plugin;

	if (plugin->phase != PLUGIN_STOPPED)
		post->run(post->context);
	mem_free(post);
	plugin_release(plugin);
}

static int host_post(const struct shunt_host *host, void (*run)(void *context), void *context)
{
	struct post *post = mem_try_zalloc(sizeof(*post));

	if (post == NULL)
		return -1;
	post->letter.deliver = deliver;
	post->plugin = plugin_of_host(host);
	post->run = run;
	post->context = context;
	plugin_hold(post->plugin);
	plugins_post_home(&post->letter);
	return 0;
}

void host_offer_posting(struct shunt_host *host)
{
	host->post = host_post;
}
