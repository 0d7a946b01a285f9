/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_SHARED_OBJECT_H
#define KERNEL_BASE_SHARED_OBJECT_H

/*
 * Variables that are there once in a process, however many files define them: the binding
 * STB_GNU_UNIQUE, which g++ gives those of C++ that are inline, or static in a template or an
 * inline function. Two versions of a plugin share them.
 */

/* The first one that an open file (dlopen()) defines, for as long as it is open; NULL: none. */
const char *shared_object_unique(void *object);

#endif
