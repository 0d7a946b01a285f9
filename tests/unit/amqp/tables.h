/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_AMQP_TABLES_H
#define TESTS_UNIT_AMQP_TABLES_H

#include "base/slice.h"

/*
 * A raw table with each of the eighteen types once; RabbitMQ 3.10 reads it as the tests expect.
 * The key is the type's octet.
 */
#define TABLE_OF_ALL_TYPES                                                                         \
	SLICE_LITERAL("\1SS\0\0\0\1x"                                                              \
		      "\1II\xff\xff\xff\xff"                                                       \
		      "\1DD\2\0\0\1\0"                                                             \
		      "\1TT\0\0\0\0\0\0\0\x09"                                                     \
		      "\1FF\0\0\0\3\1aV"                                                           \
		      "\1AA\0\0\0\3Vt\1"                                                           \
		      "\1bb\xff"                                                                   \
		      "\1BB\xff"                                                                   \
		      "\1dd\x3f\xf8\0\0\0\0\0\0"                                                   \
		      "\1ff\x3f\xc0\0\0"                                                           \
		      "\1ll\xff\xff\xff\xff\xff\xff\xff\xff"                                       \
		      "\1LL\0\0\0\0\0\0\0\1"                                                       \
		      "\1ss\xff\xff"                                                               \
		      "\1uu\xff\xff"                                                               \
		      "\1ii\xff\xff\xff\xff"                                                       \
		      "\1tt\1"                                                                     \
		      "\1xx\0\0\0\1\0"                                                             \
		      "\1VV")

#define TYPE_COUNT 18

#endif
