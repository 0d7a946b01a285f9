/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_HOST_H
#define KERNEL_PLUGIN_HOST_H

/*
 * The functions that the broker hands to a plugin: what is behind struct shunt_host, by subject in
 * host_*.c. Each of these files has one function that puts its own into the table.
 */

#include <shunt/plugin.h>

struct plugin;

/* The table of a plugin, for its whole life; part of struct plugin. */
void host_init(struct shunt_host *host);

void host_offer_tables(struct shunt_host *host);
void host_offer_arguments(struct shunt_host *host);
void host_offer_messages(struct shunt_host *host);
void host_offer_routing(struct shunt_host *host);
void host_offer_holding(struct shunt_host *host);
void host_offer_registering(struct shunt_host *host);
void host_offer_settings(struct shunt_host *host);
void host_offer_counters(struct shunt_host *host);
void host_offer_posting(struct shunt_host *host);
void host_offer_timers(struct shunt_host *host);
void host_offer_publishing(struct shunt_host *host);
void host_offer_access(struct shunt_host *host);
void host_offer_commands(struct shunt_host *host);

struct plugin *plugin_of_host(const struct shunt_host *host);

#endif
