/* SPDX-License-Identifier: MIT */
#ifndef LUA_HOOK_CONTEXT_H
#define LUA_HOOK_CONTEXT_H

/* The second argument of hooks: what there is to know besides the message. */

#include "message/view.h"

/* A state's. */
struct hook_contexts {
	struct view *publish, *deliver, *peer;
	int publish_ref, deliver_ref, peer_ref; /* in Lua's registry: they keep the views alive */
};

/* May raise. */
void hook_contexts_make(lua_State *L, struct hook_contexts *contexts);

/* What was shown before. */
struct hook_shown {
	const void *subject, *peer;
};

/* The view, one of the two, shows it from now on; peer may be NULL. */
struct hook_shown hook_show(struct view *view, const struct hook_contexts *contexts,
			    const void *subject, const struct shunt_peer *peer);
void hook_show_again(struct view *view, const struct hook_contexts *contexts,
		     struct hook_shown before);

#endif
