/* SPDX-License-Identifier: MIT */
#ifndef LUA_ACCESS_H
#define LUA_ACCESS_H

/*
 * access: the policy that a script is. Its state has a view of what is asked, of either kind.
 */

#include <shunt/plugin.h>

#include "policy/callee.h"
#include "module.h"
#include "message/view.h"

extern const struct module access_module;

/* Of a state. */
struct access_state {
	struct callee authenticate, authorize;
	struct view *question, *peer;
	int question_ref, peer_ref; /* in Lua's registry */
	uint32_t remember_ms;	    /* access.cache_seconds, or what goes for it */
	uint32_t depends;	    /* bits of enum access_depends */
	bool has_depends;
};

/* What access.depends may name. */
enum access_depends {
	ACCESS_USER,
	ACCESS_TAGS,
	ACCESS_OPERATION,
	ACCESS_RESOURCE,
	ACCESS_VHOST,
	ACCESS_NAME,
	ACCESS_ROUTING_KEY,
	ACCESS_DEPENDS_COUNT,
};

extern const char *const access_depends_names[]; /* ends with NULL */

/* What the script has said of access.depends: false: nothing; else the bits. For tests, which ask
 * again with all the rest changed. */
bool access_depends(const struct script *script, uint32_t *ret_bits);

/* The object of authorize(). */
extern const struct view_type access_question_view;

/* shunt_access_policy.authenticate; the plugin is the script. */
void access_login(void *plugin, const struct shunt_login *login);

#endif
