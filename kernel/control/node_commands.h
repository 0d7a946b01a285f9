/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_NODE_COMMANDS_H
#define KERNEL_CONTROL_NODE_COMMANDS_H

/* What concerns the broker as a whole: its settings and its log. */

#include "control/client.h"

/* An object by key: what is in force. */
void control_environment(struct control_client *client, const json_t *request);
/* As SIGHUP; the answer says what has changed. */
void control_reload(struct control_client *client, const json_t *request);
/* Opens the log file again. */
void control_rotate_logs(struct control_client *client, const json_t *request);

/* "level"; with "category" only that one's. Without "category" every place and category has it. */
void control_set_log_level(struct control_client *client, const json_t *request);

/* Until the next start or reload: "fraction" of the memory, or "absolute" bytes. */
void control_set_vm_memory_high_watermark(struct control_client *client, const json_t *request);
/* The same: "absolute" bytes, or "mem_relative", so often the memory. */
void control_set_disk_free_limit(struct control_client *client, const json_t *request);

#endif
