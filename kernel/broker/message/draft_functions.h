/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_MESSAGE_DRAFT_FUNCTIONS_H
#define KERNEL_BROKER_MESSAGE_DRAFT_FUNCTIONS_H

/* What a plugin sets in a draft: for broker/message/draft.c. */

#include "broker/message/draft.h"

/* As every draft has them. */
extern const struct shunt_draft draft_functions;

#endif
