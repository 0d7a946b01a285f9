/* SPDX-License-Identifier: MIT */
/* Class confirm (RabbitMQ: docs/confirms). */
#include "conn/channel.h"
#include "conn/method/tx.h"

int method_confirm_select(struct channel *ch, const struct amqp_confirm_select *m,
			  struct amqp_error *error)
{
	struct amqp_method ok = {.id = AMQP_CONFIRM_SELECT_OK};

	if (tx_is_on(ch))
		return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
				      "cannot switch from tx to confirm mode");
	ch->confirms_on = true;
	if (!m->no_wait)
		connection_send(ch->connection, ch->number, &ok);
	return 0;
}
