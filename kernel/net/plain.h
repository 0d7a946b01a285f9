/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_PLAIN_H
#define KERNEL_NET_PLAIN_H

#include "net/transport.h"

/* The socket itself, with nothing between; its context is NULL. */
extern const struct transport_layer plain_layer;

#endif
