/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_THREAD_H
#define KERNEL_STORE_THREAD_H

/* Starting the store's threads: small stacks, and no signals, which are for loop 0. */

#include <pthread.h>

#include "base/compiler.h"

/* 0, or a negative errno value. */
int thread_start(pthread_t *ret_thread, void *(*run)(void *argument), void *argument) MUST_USE;

#endif
