/* SPDX-License-Identifier: MIT */
/* Class connection on a channel other than 0, where none of it belongs: RabbitMQ answers 503. */
#include "conn/channel.h"

#define METHOD_MISPLACED(name)                                                                     \
	int method_connection_##name(struct channel *ch, const struct amqp_connection_##name *m,   \
				     struct amqp_error *error)                                     \
	{                                                                                          \
		(void)ch, (void)m;                                                                 \
		return amqp_error_set(error, AMQP_COMMAND_INVALID, "unimplemented method");        \
	}

METHOD_MISPLACED(start_ok)
METHOD_MISPLACED(secure_ok)
METHOD_MISPLACED(tune_ok)
METHOD_MISPLACED(open)
METHOD_MISPLACED(close)
METHOD_MISPLACED(close_ok)
METHOD_MISPLACED(update_secret)
