# SPDX-License-Identifier: MIT
"""exchange.declare, delete, bind, unbind; the exchanges that are always there."""

STANDARD = {"amq.direct": "direct", "amq.fanout": "fanout", "amq.topic": "topic", "amq.headers": "headers",
            "amq.match": "headers"}


def missing(t, exchange):
    return "NOT_FOUND - no exchange '%s' in vhost '%s'" % (exchange, t.broker.vhost)


def rs(t, exchange):
    return "exchange '%s' in vhost '%s'" % (exchange, t.broker.vhost)


def gone(t, exchange):
    """The exchange does not exist (asked on a channel of its own)."""
    with t.channel_closed(404, missing(t, exchange)):
        t.channel().exchange_declare(exchange, passive=True)


def refused(t, code, text, method, rabbit3=None, **fields):
    client = t.wire()
    client.send(1, method, **fields)
    client.expect_channel_close(1, code, t.either(text, rabbit3), method)
    return client


def test_declare_each_type(t):
    channel = t.channel()
    for kind in ("direct", "fanout", "topic", "headers"):
        t.exchange(channel, kind)


def test_declare_is_idempotent(t):
    channel = t.channel()
    exchange = t.exchange(channel, "topic", durable=True, auto_delete=False)
    channel.exchange_declare(exchange, "topic", durable=True, auto_delete=False)


def test_declare_nowait_has_no_answer(t):
    client = t.wire()
    exchange = t.name("x")
    client.send(1, "exchange.declare", exchange=exchange, type="direct", nowait=True)
    client.call(1, "exchange.declare", exchange=exchange, passive=True)


def test_passive_declare_of_an_existing_one_ignores_type_and_flags(t):
    client = t.wire()
    exchange = t.exchange(t.channel(), "topic")
    client.call(1, "exchange.declare", exchange=exchange, type="fanout", passive=True, durable=True)


def test_passive_declare_of_a_missing_one_is_404(t):
    name = t.name("x")
    refused(t, 404, missing(t, name), "exchange.declare", exchange=name, type="direct", passive=True)


def test_standard_exchanges_exist(t):
    channel = t.channel()
    for exchange in STANDARD:
        channel.exchange_declare(exchange, passive=True)


def test_standard_exchanges_may_be_redeclared_as_they_are(t):
    channel = t.channel()
    for exchange, kind in STANDARD.items():
        channel.exchange_declare(exchange, kind, durable=True)


def test_redeclare_with_another_type_is_406(t):
    exchange = t.exchange(t.channel(), "direct")
    refused(t, 406, "PRECONDITION_FAILED - inequivalent arg 'type' for %s: received 'fanout' but current is 'direct'"
            % rs(t, exchange), "exchange.declare", exchange=exchange, type="fanout")


def test_redeclare_with_another_durability_is_406(t):
    exchange = t.exchange(t.channel(), "direct")
    refused(t, 406, "PRECONDITION_FAILED - inequivalent arg 'durable' for %s: received 'true' but current is 'false'"
            % rs(t, exchange), "exchange.declare", exchange=exchange, type="direct", durable=True)


def test_redeclare_with_another_auto_delete_is_406(t):
    exchange = t.exchange(t.channel(), "direct")
    refused(t, 406, "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for %s: "
            "received 'true' but current is 'false'" % rs(t, exchange),
            "exchange.declare", exchange=exchange, type="direct", auto_delete=True)


def test_redeclare_with_another_internal_flag_is_406(t):
    exchange = t.exchange(t.channel(), "direct")
    refused(t, 406, "PRECONDITION_FAILED - inequivalent arg 'internal' for %s: received 'true' but current is 'false'"
            % rs(t, exchange), "exchange.declare", exchange=exchange, type="direct", internal=True)


def test_redeclare_with_another_alternate_exchange_is_406(t):
    exchange = t.exchange(t.channel(), "direct", arguments={"alternate-exchange": "a"})
    text = ("PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for %s: received %s but current is %s")
    refused(t, 406, text % (rs(t, exchange), "the value 'b' of type 'longstr'", "the value 'a' of type 'longstr'"),
            "exchange.declare", rabbit3=text % (rs(t, exchange), "'b'", "'a'"),
            exchange=exchange, type="direct", arguments={"alternate-exchange": "b"})


def test_redeclare_with_other_arguments_is_ok(t):
    """Of arguments alternate-exchange alone is compared."""
    channel = t.channel()
    exchange = t.exchange(channel, "headers", arguments={"x-any": 1})
    channel.exchange_declare(exchange, "headers", arguments={"x-any": 2, "x-other": "a"})
    channel.exchange_declare(exchange, "headers")


def test_unknown_type_is_406(t):
    """RabbitMQ 3.x closes the connection with 503."""
    client = t.wire()
    client.send(1, "exchange.declare", exchange=t.name("x"), type="no-such-type")
    if t.rabbit3:
        client.expect_connection_close(503, "COMMAND_INVALID - unknown exchange type 'no-such-type'")
    else:
        client.expect_channel_close(1, 406, "PRECONDITION_FAILED - unknown exchange type 'no-such-type'",
                                    "exchange.declare")


def test_reserved_prefix_is_403(t):
    refused(t, 403, "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'", "exchange.declare",
            exchange="amq.mine", type="direct")


def test_declare_of_the_default_exchange_is_403(t):
    refused(t, 403, "ACCESS_REFUSED - operation not permitted on the default exchange", "exchange.declare",
            exchange="", type="direct")


def test_passive_declare_of_the_default_exchange_is_403(t):
    refused(t, 403, "ACCESS_REFUSED - operation not permitted on the default exchange", "exchange.declare",
            exchange="", type="direct", passive=True)


def test_delete_of_the_default_exchange_is_403(t):
    refused(t, 403, "ACCESS_REFUSED - operation not permitted on the default exchange", "exchange.delete", exchange="")


def test_delete_of_a_standard_exchange_is_403(t):
    refused(t, 403, "ACCESS_REFUSED - deletion of system %s not allowed" % rs(t, "amq.direct"), "exchange.delete",
            exchange="amq.direct")


def test_delete(t):
    channel = t.channel()
    exchange = t.exchange(channel)
    channel.exchange_delete(exchange)
    gone(t, exchange)


def test_delete_of_a_missing_one_is_ok(t):
    t.channel().exchange_delete(t.name("x"))


def test_delete_nowait_has_no_answer(t):
    client = t.wire()
    exchange = t.exchange(t.channel())
    client.send(1, "exchange.delete", exchange=exchange, nowait=True)
    client.expect_quiet(1)
    gone(t, exchange)


def test_delete_if_unused_of_a_used_one_is_406(t):
    channel = t.channel()
    exchange = t.exchange(channel)
    t.bound_queue(channel, exchange, "k")
    refused(t, 406, "PRECONDITION_FAILED - %s in use" % rs(t, exchange), "exchange.delete", exchange=exchange,
            if_unused=True)


def test_delete_if_unused_of_an_unused_one(t):
    channel = t.channel()
    exchange = t.exchange(channel)
    channel.exchange_delete(exchange, if_unused=True)
    gone(t, exchange)


def test_delete_removes_its_bindings(t):
    channel = t.channel()
    exchange = t.exchange(channel, "fanout")
    queue = t.bound_queue(channel, exchange, "")
    channel.exchange_delete(exchange)
    channel.exchange_declare(exchange, "fanout")
    channel.basic_publish(exchange, "", b"m")
    assert t.bodies(channel, queue) == []


def test_auto_delete_goes_with_its_last_binding(t):
    channel = t.channel()
    exchange = t.exchange(channel, "direct", auto_delete=True)
    queue = t.bound_queue(channel, exchange, "a", "b")
    channel.queue_unbind(queue, exchange, "a")
    channel.exchange_declare(exchange, passive=True)
    channel.queue_unbind(queue, exchange, "b")
    gone(t, exchange)


def test_auto_delete_goes_with_its_last_queue(t):
    channel = t.channel()
    exchange = t.exchange(channel, "direct", auto_delete=True)
    queue = t.bound_queue(channel, exchange, "a")
    channel.queue_delete(queue)
    gone(t, exchange)


def test_auto_delete_stays_until_it_has_had_a_binding(t):
    channel = t.channel()
    exchange = t.exchange(channel, "direct", auto_delete=True)
    channel.exchange_declare(exchange, "direct", auto_delete=True)
    channel.exchange_declare(exchange, passive=True)


def test_auto_delete_goes_with_its_last_destination_exchange(t):
    channel = t.channel()
    source = t.exchange(channel, "fanout", auto_delete=True)
    destination = t.exchange(channel, "fanout")
    channel.exchange_bind(destination, source)
    channel.exchange_delete(destination)
    gone(t, source)


def test_auto_delete_chain(t):
    """The end of one auto-delete exchange may end the one before it."""
    channel = t.channel()
    first = t.exchange(channel, "fanout", auto_delete=True)
    second = t.exchange(channel, "fanout", auto_delete=True)
    queue = t.bound_queue(channel, second, "")
    channel.exchange_bind(second, first)
    channel.queue_delete(queue)
    gone(t, second)
    gone(t, first)


def test_publish_to_an_internal_exchange_is_403(t):
    channel = t.channel()
    exchange = t.exchange(channel, "fanout", internal=True)
    client = t.wire()
    client.publish(1, exchange, "", b"m")
    client.expect_channel_close(1, 403, "ACCESS_REFUSED - cannot publish to internal %s" % rs(t, exchange),
                                "basic.publish")


def test_internal_exchange_receives_from_another(t):
    channel = t.channel()
    source, internal = t.exchange(channel, "fanout"), t.exchange(channel, "fanout", internal=True)
    channel.exchange_bind(internal, source)
    queue = t.bound_queue(channel, internal, "")
    channel.basic_publish(source, "", b"m")
    assert t.get(channel, queue)[2] == b"m"


def test_bind_of_a_missing_source_is_404(t):
    name, destination = t.name("x"), t.exchange(t.channel())
    refused(t, 404, missing(t, name), "exchange.bind", source=name, destination=destination, routing_key="k")


def test_bind_of_a_missing_destination_is_404(t):
    name, source = t.name("x"), t.exchange(t.channel())
    refused(t, 404, missing(t, name), "exchange.bind", source=source, destination=name, routing_key="k")


def test_bind_to_the_default_exchange_is_403(t):
    exchange = t.exchange(t.channel())
    text = "ACCESS_REFUSED - operation not permitted on the default exchange"
    refused(t, 403, text, "exchange.bind", source="", destination=exchange)
    refused(t, 403, text, "exchange.bind", source=exchange, destination="")


def test_unbind_of_a_missing_binding_is_ok(t):
    channel = t.channel()
    source, destination = t.exchange(channel), t.exchange(channel)
    channel.exchange_unbind(destination, source, "never-bound")


def test_exchange_bind_and_unbind_nowait(t):
    client = t.wire()
    channel = t.channel()
    source, destination = t.exchange(channel, "fanout"), t.exchange(channel, "fanout")
    queue = t.bound_queue(channel, destination, "")
    client.send(1, "exchange.bind", source=source, destination=destination, nowait=True)
    client.expect_quiet(1)
    channel.basic_publish(source, "", b"1")
    t.get(channel, queue)
    client.send(1, "exchange.unbind", source=source, destination=destination, nowait=True)
    client.expect_quiet(1)
    channel.basic_publish(source, "", b"2")
    assert t.bodies(channel, queue) == []


def test_exchange_name_of_255_bytes(t):
    channel = t.channel()
    exchange = t.owns(t.prefix + "x" * (255 - len(t.prefix)))
    channel.exchange_declare(exchange, "direct")
    channel.exchange_declare(exchange, passive=True)


def test_exchange_name_with_utf_8(t):
    channel = t.channel()
    exchange = t.exchange(channel, exchange=t.name("wölfe-狼"))
    queue = t.bound_queue(channel, exchange, "schlüssel")
    channel.basic_publish(exchange, "schlüssel", b"m")
    assert t.get(channel, queue)[0].exchange == exchange


def test_cr_and_lf_are_stripped_from_declared_names(t):
    channel = t.channel()
    name = t.name("x")
    channel.exchange_declare(name + "\r\n", "direct")
    channel.exchange_declare(name, passive=True)
