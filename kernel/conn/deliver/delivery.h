/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_DELIVER_DELIVERY_H
#define KERNEL_CONN_DELIVER_DELIVERY_H

/* What queues send to a channel: messages, outcomes of publishes, the end of a consumer. */

#include "broker/endpoint.h"

extern const struct endpoint_ops channel_endpoint_ops;

#endif
