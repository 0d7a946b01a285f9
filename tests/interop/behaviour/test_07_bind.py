# SPDX-License-Identifier: MIT
"""queue.bind, queue.unbind, exchange-to-exchange bindings, alternate exchanges."""


def no_queue(t, queue):
    return "NOT_FOUND - no queue '%s' in vhost '%s'" % (queue, t.broker.vhost)


def no_exchange(t, exchange):
    return "NOT_FOUND - no exchange '%s' in vhost '%s'" % (exchange, t.broker.vhost)


def refused(t, code, text, method, **fields):
    client = t.wire()
    client.send(1, method, **fields)
    client.expect_channel_close(1, code, text, method)


def test_bind_of_a_missing_queue_is_404(t):
    name = t.name("q")
    refused(t, 404, no_queue(t, name), "queue.bind", queue=name, exchange="amq.direct", routing_key="k")


def test_bind_to_a_missing_exchange_is_404(t):
    name, queue = t.name("x"), t.queue(t.channel(), exclusive=False)
    refused(t, 404, no_exchange(t, name), "queue.bind", queue=queue, exchange=name, routing_key="k")


def test_bind_to_the_default_exchange_is_403(t):
    queue = t.queue(t.channel(), exclusive=False)
    text = "ACCESS_REFUSED - operation not permitted on the default exchange"
    refused(t, 403, text, "queue.bind", queue=queue, exchange="", routing_key="k")
    refused(t, 403, text, "queue.unbind", queue=queue, exchange="", routing_key=queue)


def test_bind_of_no_name_without_a_declaration_is_404(t):
    refused(t, 404, "NOT_FOUND - no previously declared queue", "queue.bind", exchange="amq.direct", routing_key="k")


def test_bind_nowait_has_no_answer(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.send(1, "queue.bind", queue=queue, exchange="amq.direct", routing_key=queue, nowait=True)
    client.expect_quiet(1)
    client.publish(1, "amq.direct", queue, b"m")
    assert client.get(1, queue).body == b"m"


def test_bind_without_queue_and_key_uses_the_last_queues_name_as_key(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "queue.bind", queue="", exchange="amq.direct", routing_key="")
    client.publish(1, "amq.direct", queue, b"m")
    assert client.get(1, queue).body == b"m"


def test_bind_without_queue_but_with_key(t):
    client = t.wire()
    queue = t.wire_queue(client)
    client.call(1, "queue.bind", queue="", exchange="amq.direct", routing_key="k." + t.prefix)
    client.publish(1, "amq.direct", "k." + t.prefix, b"m")
    assert client.get(1, queue).body == b"m"


def test_bind_with_queue_and_empty_key_keeps_the_empty_key(t):
    channel = t.channel()
    exchange = t.exchange(channel, "direct")
    queue = t.bound_queue(channel, exchange, "")
    channel.basic_publish(exchange, queue, b"not for you")
    channel.basic_publish(exchange, "", b"m")
    assert t.bodies(channel, queue) == [b"m"]


def test_same_binding_twice_is_one(t):
    channel = t.channel()
    exchange = t.exchange(channel, "direct")
    queue = t.bound_queue(channel, exchange, "k", "k")
    channel.basic_publish(exchange, "k", b"m")
    assert t.bodies(channel, queue) == [b"m"]
    channel.queue_unbind(queue, exchange, "k")
    channel.basic_publish(exchange, "k", b"m")
    assert t.bodies(channel, queue) == []


def test_bindings_that_differ_in_arguments_are_two(t):
    channel = t.channel()
    exchange = t.exchange(channel, "direct")
    queue = t.bound_queue(channel, exchange, "k")
    channel.queue_bind(queue, exchange, "k", {"a": 1})
    channel.queue_unbind(queue, exchange, "k")
    channel.basic_publish(exchange, "k", b"m")
    assert t.bodies(channel, queue) == [b"m"]
    channel.queue_unbind(queue, exchange, "k", {"a": 1})
    channel.basic_publish(exchange, "k", b"m")
    assert t.bodies(channel, queue) == []


def test_unbind(t):
    channel = t.channel()
    exchange = t.exchange(channel, "direct")
    queue = t.bound_queue(channel, exchange, "a", "b")
    channel.queue_unbind(queue, exchange, "a")
    channel.basic_publish(exchange, "a", b"a")
    channel.basic_publish(exchange, "b", b"b")
    assert t.bodies(channel, queue) == [b"b"]


def test_unbind_of_a_missing_binding_is_ok(t):
    channel = t.channel()
    channel.queue_unbind(t.queue(channel), t.exchange(channel), "never-bound")


def test_unbind_of_a_missing_queue_or_exchange_is_ok(t):
    queue, exchange = t.queue(t.channel(), exclusive=False), t.exchange(t.channel())
    for fields in ({"queue": t.name("q"), "exchange": exchange}, {"queue": queue, "exchange": t.name("x")}):
        client = t.wire()
        client.send(1, "queue.unbind", routing_key="k", **fields)
        client.read_method("queue.unbind-ok")


def test_binding_is_in_force_when_bind_ok_arrives(t):
    """On every connection."""
    client, publisher = t.wire(), t.wire()
    queue = t.wire_queue(client)
    for number in range(50):
        key = "%s.%d" % (t.prefix, number)
        client.call(1, "queue.bind", queue=queue, exchange="amq.direct", routing_key=key)
        publisher.publish(1, "amq.direct", key, b"m", mandatory=True)
        publisher.expect_quiet(1)
        client.call(1, "queue.unbind", queue=queue, exchange="amq.direct", routing_key=key)
        publisher.publish(1, "amq.direct", key, b"m", mandatory=True)
        publisher.read_message("basic.return")
        publisher.expect_quiet(1)


def test_binding_of_an_exclusive_queue_goes_with_it(t):
    owner, publisher = t.wire(), t.wire()
    queue = t.wire_queue(owner)
    owner.call(1, "queue.bind", queue=queue, exchange="amq.fanout", routing_key="")
    owner.call(1, "queue.bind", queue=queue, exchange="amq.direct", routing_key=queue)
    owner.call(0, "connection.close", reply_code=200)
    publisher.publish(1, "amq.direct", queue, b"m", mandatory=True)
    publisher.read_message("basic.return")


def test_unbind_of_another_connections_exclusive_queue_is_405(t):
    owner = t.wire()
    queue = t.wire_queue(owner)
    owner.call(1, "queue.bind", queue=queue, exchange="amq.direct", routing_key=queue)
    refused(t, 405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '%s' in vhost '%s'. It could be "
            "originally declared on another connection or the exclusive property value does not match that of the "
            "original declaration." % (queue, t.broker.vhost), "queue.unbind", queue=queue, exchange="amq.direct",
            routing_key=queue)


def test_unbind_of_nothing_from_another_connections_exclusive_queue_is_ok(t):
    owner, other = t.wire(), t.wire()
    queue = t.wire_queue(owner)
    other.call(1, "queue.unbind", queue=queue, exchange="amq.direct", routing_key="never-bound")


# ---- exchange to exchange

def test_exchange_bound_to_exchange_routes_on(t):
    channel = t.channel()
    source, destination = t.exchange(channel, "topic"), t.exchange(channel, "direct")
    channel.exchange_bind(destination, source, "a.*")
    queue = t.bound_queue(channel, destination, "a.b")
    channel.basic_publish(source, "a.b", b"both match")
    channel.basic_publish(source, "a.c", b"second does not")
    channel.basic_publish(source, "b.b", b"first does not")
    assert t.bodies(channel, queue) == [b"both match"]


def test_delivery_names_the_exchange_published_to(t):
    channel = t.channel()
    source, destination = t.exchange(channel, "fanout"), t.exchange(channel, "fanout")
    channel.exchange_bind(destination, source)
    queue = t.bound_queue(channel, destination, "")
    channel.basic_publish(source, "key", b"m")
    method = t.get(channel, queue)[0]
    assert (method.exchange, method.routing_key) == (source, "key")


def test_exchange_unbind(t):
    channel = t.channel()
    source, destination = t.exchange(channel, "fanout"), t.exchange(channel, "fanout")
    channel.exchange_bind(destination, source, "k")
    queue = t.bound_queue(channel, destination, "")
    channel.exchange_unbind(destination, source, "k")
    channel.basic_publish(source, "", b"m")
    assert t.bodies(channel, queue) == []


def test_exchange_cycle_delivers_once(t):
    channel = t.channel()
    exchanges = [t.exchange(channel, "fanout") for _ in range(3)]
    for source, destination in zip(exchanges, exchanges[1:] + exchanges[:1]):
        channel.exchange_bind(destination, source)
    channel.exchange_bind(exchanges[0], exchanges[0])
    queue = t.bound_queue(channel, exchanges[2], "")
    channel.basic_publish(exchanges[0], "", b"m")
    assert t.bodies(channel, queue) == [b"m"]


def test_queue_reached_on_two_ways_gets_one_copy(t):
    channel = t.channel()
    source, left, right = [t.exchange(channel, "fanout") for _ in range(3)]
    channel.exchange_bind(left, source)
    channel.exchange_bind(right, source)
    queue = t.bound_queue(channel, left, "")
    channel.queue_bind(queue, right, "")
    channel.queue_bind(queue, source, "")
    channel.basic_publish(source, "", b"m")
    assert t.bodies(channel, queue) == [b"m"]


def test_deep_chain_of_exchanges(t):
    channel = t.channel()
    exchanges = [t.exchange(channel, "fanout") for _ in range(40)]
    for source, destination in zip(exchanges, exchanges[1:]):
        channel.exchange_bind(destination, source)
    queue = t.bound_queue(channel, exchanges[-1], "")
    channel.basic_publish(exchanges[0], "", b"m")
    assert t.bodies(channel, queue) == [b"m"]


# ---- alternate exchange

def test_alternate_exchange_gets_what_is_unroutable(t):
    channel = t.channel()
    alternate = t.exchange(channel, "fanout")
    exchange = t.exchange(channel, "direct", arguments={"alternate-exchange": alternate})
    bound, rest = t.bound_queue(channel, exchange, "k"), t.bound_queue(channel, alternate, "")
    channel.basic_publish(exchange, "k", b"routable")
    channel.basic_publish(exchange, "other", b"unroutable")
    assert t.bodies(channel, bound) == [b"routable"]
    method, _, body = t.get(channel, rest)
    assert (method.exchange, method.routing_key, body) == (exchange, "other", b"unroutable")


def test_alternate_exchange_makes_mandatory_succeed(t):
    client = t.wire()
    channel = t.channel()
    alternate = t.exchange(channel, "fanout")
    exchange = t.exchange(channel, "direct", arguments={"alternate-exchange": alternate})
    queue = t.bound_queue(channel, alternate, "")
    client.publish(1, exchange, "k", b"m", mandatory=True)
    client.expect_quiet(1)
    assert t.get(channel, queue)[2] == b"m"


def test_unroutable_through_the_alternate_exchange_returns(t):
    client = t.wire()
    channel = t.channel()
    alternate = t.exchange(channel, "direct")
    exchange = t.exchange(channel, "direct", arguments={"alternate-exchange": alternate})
    client.publish(1, exchange, "k", b"m", mandatory=True)
    method = client.read_message("basic.return").method
    assert (method.reply_code, method.exchange, method.routing_key) == (312, exchange, "k")


def test_missing_alternate_exchange_is_ignored(t):
    client = t.wire()
    exchange = t.exchange(t.channel(), "direct", arguments={"alternate-exchange": t.name("x")})
    client.publish(1, exchange, "k", b"m", mandatory=True)
    client.read_message("basic.return")
    client.expect_quiet(1)


def test_alternate_exchanges_in_a_circle(t):
    client = t.wire()
    first, second = t.name("x"), t.name("x")
    channel = t.channel()
    channel.exchange_declare(first, "direct", arguments={"alternate-exchange": second})
    channel.exchange_declare(second, "direct", arguments={"alternate-exchange": first})
    client.publish(1, first, "k", b"m", mandatory=True)
    client.read_message("basic.return")


def test_alternate_exchange_of_a_chained_exchange(t):
    """An exchange reached by a binding uses its own alternate exchange."""
    channel = t.channel()
    alternate = t.exchange(channel, "fanout")
    inner = t.exchange(channel, "direct", arguments={"alternate-exchange": alternate})
    source = t.exchange(channel, "fanout")
    channel.exchange_bind(inner, source)
    queue = t.bound_queue(channel, alternate, "")
    channel.basic_publish(source, "unknown", b"m")
    assert t.bodies(channel, queue) == [b"m"]


def test_alternate_exchange_of_a_wrong_type_is_406(t):
    client = t.wire()
    client.send(1, "exchange.declare", exchange=t.name("x"), type="direct", arguments={"alternate-exchange": 5})
    client.expect_channel_close(1, 406, method="exchange.declare")
