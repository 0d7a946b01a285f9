# SPDX-License-Identifier: MIT
"""The exchange types of RabbitMQ's plugins that Shunt ships too: x-consistent-hash, x-random, x-recent-history,
x-modulus-hash."""

import pika

from lib.case import Skip

CHOOSERS = ["x-consistent-hash", "x-random", "x-modulus-hash"]


def confirming(t):
    """A channel on which a publish has arrived when it returns."""
    channel = t.channel()
    channel.confirm_delivery()
    return channel


def publish(channel, exchange, keys, **properties):
    for key in keys:
        channel.basic_publish(exchange, key, key.encode(), pika.BasicProperties(**properties))


def taken(t, channel, queues):
    """What is in each of the queues, taken out, as a list of sets of bodies; no body is there twice."""
    found = [t.bodies(channel, queue) for queue in queues]
    everything = [body for bodies in found for body in bodies]
    assert len(everything) == len(set(everything)), "a message was delivered twice"
    return [set(bodies) for bodies in found]


def numbers(count, first=0):
    return ["k%d" % i for i in range(first, first + count)]


# ---- x-consistent-hash: declaring and binding

def test_consistent_hash_arguments(t):
    def refused(text, **arguments):
        channel = t.channel()
        with t.channel_closed(406, "PRECONDITION_FAILED - " + text):
            t.exchange(channel, "x-consistent-hash", arguments={k.replace("_", "-"): v for k, v in arguments.items()})
    channel = t.channel()
    t.exchange(channel, "x-consistent-hash", arguments={"hash-header": "h"})
    t.exchange(channel, "x-consistent-hash", arguments={"other": 1})
    for name in ("message_id", "correlation_id", "timestamp"):
        t.exchange(channel, "x-consistent-hash", arguments={"hash-property": name})
    refused("Unsupported property: app_id", hash_property="app_id")
    refused("Unsupported property: ", hash_property="")
    refused("hash-header and hash-property are mutually exclusive", hash_header="h", hash_property="message_id")
    refused("hash-header and hash-property are mutually exclusive", hash_header="h", hash_property="nope")


def test_consistent_hash_arguments_of_another_type(t):
    if not t.shunt:
        raise Skip("RabbitMQ fails with 541")
    exchange = t.name("x")
    for argument, text in (("hash-header", "invalid arg 'hash-header' for exchange '%s' in vhost '/': "
                            "\"expected string, got signedint\"" % exchange),
                           ("hash-property", "hash-property must be a string")):
        with t.channel_closed(406, "PRECONDITION_FAILED - " + text):
            t.exchange(t.channel(), "x-consistent-hash", exchange=exchange, arguments={argument: 5})


def test_consistent_hash_binding_keys_are_weights(t):
    channel = t.channel()
    exchange, queue = t.exchange(channel, "x-consistent-hash"), t.queue(channel)
    for key in ("1", "01", "+1", "20"):
        channel.queue_bind(queue, exchange, key)
        channel.queue_unbind(queue, exchange, key)
    for key, shown in (("abc", '<<"abc">>'), ("", "<<>>"), ("1.5", '<<"1.5">>'), (" 1", '<<" 1">>'), ("-", '<<"-">>'),
                       ("\0", "<<0>>"), ('a"\n', '<<"a\\"\\n">>'), ("é", '<<"é">>')):
        with t.channel_closed(406, "PRECONDITION_FAILED - The binding key must be an integer: " + shown):
            t.channel().queue_bind(queue, exchange, key)
    for key in ("0", "-1", "-0"):
        with t.channel_closed(406, "PRECONDITION_FAILED - The binding key must be greater than 0"):
            t.channel().queue_bind(queue, exchange, key)
    other = t.exchange(t.channel(), "fanout")
    with t.channel_closed(406, "PRECONDITION_FAILED - The binding key must be greater than 0"):
        t.channel().exchange_bind(other, exchange, "0")


# ---- x-consistent-hash: routing

def hashed(t, channel, weights, arguments=None):
    exchange = t.exchange(channel, "x-consistent-hash", arguments=arguments)
    return exchange, [t.bound_queue(channel, exchange, weight) for weight in weights]


def test_consistent_hash_gives_a_key_to_one_queue(t):
    channel = confirming(t)
    exchange, queues = hashed(t, channel, ["1", "1", "1"])
    keys = numbers(150)
    publish(channel, exchange, keys)
    first = taken(t, channel, queues)
    publish(channel, exchange, keys)
    assert taken(t, channel, queues) == first
    assert sum(map(len, first)) == 150 and all(len(bodies) > 20 for bodies in first)


def test_consistent_hash_follows_weights(t):
    channel = confirming(t)
    exchange, queues = hashed(t, channel, ["1", "9"])
    publish(channel, exchange, numbers(400))
    light, heavy = map(len, taken(t, channel, queues))
    assert 15 <= light <= 75 and heavy == 400 - light, (light, heavy)


def test_consistent_hash_moves_keys_to_a_new_queue_only(t):
    channel = confirming(t)
    exchange, queues = hashed(t, channel, ["1", "1", "1"])
    keys = numbers(300)
    publish(channel, exchange, keys)
    before = taken(t, channel, queues)
    queues.append(t.bound_queue(channel, exchange, "1"))
    publish(channel, exchange, keys)
    after = taken(t, channel, queues)
    assert all(now <= then for now, then in zip(after, before)), "a key moved between queues that stayed"
    assert 30 <= len(after[3]) <= 130
    channel.queue_unbind(queues[3], exchange, "1")
    publish(channel, exchange, keys)
    assert taken(t, channel, queues) == before + [set()]


def test_consistent_hash_of_a_header(t):
    channel = confirming(t)
    exchange, queues = hashed(t, channel, ["1", "1", "1"], {"hash-header": "h"})
    for value in ("text", 7, True, {"a": 1}, ["a", 2]):
        publish(channel, exchange, numbers(20), headers={"h": value})
        assert sorted(map(len, taken(t, channel, queues))) == [0, 0, 20], value
    for i in range(90):
        publish(channel, exchange, ["k%d" % i], headers={"h": "value %d" % i})
    assert all(len(bodies) > 5 for bodies in taken(t, channel, queues))


def test_consistent_hash_without_what_is_hashed(t):
    channel = confirming(t)
    for arguments in ({"hash-header": "h"}, {"hash-property": "message_id"}, {"hash-property": "timestamp"}):
        exchange, queues = hashed(t, channel, ["1", "1", "1"], arguments)
        publish(channel, exchange, numbers(20), headers={"other": "o"})
        publish(channel, exchange, numbers(20, 20))
        assert sorted(map(len, taken(t, channel, queues)))[:2] == [0, 0], arguments


def test_consistent_hash_of_a_property(t):
    channel = confirming(t)
    for name in ("message_id", "correlation_id", "timestamp"):
        exchange, queues = hashed(t, channel, ["1", "1", "1"], {"hash-property": name})
        convert = int if name == "timestamp" else str
        publish(channel, exchange, numbers(20), **{name: convert(12345)})
        assert sorted(map(len, taken(t, channel, queues))) == [0, 0, 20], name
        for i in range(90):
            publish(channel, exchange, ["k%d" % i], **{name: convert(i)})
        assert all(len(bodies) > 5 for bodies in taken(t, channel, queues)), name


def test_consistent_hash_to_exchanges(t):
    channel = confirming(t)
    exchange, queues = hashed(t, channel, ["1"])
    fanout = t.exchange(channel, "fanout")
    queues += [t.bound_queue(channel, fanout, ""), t.bound_queue(channel, fanout, "")]
    channel.exchange_bind(fanout, exchange, "1")
    publish(channel, exchange, numbers(100))
    found = [set(t.bodies(channel, queue)) for queue in queues]
    assert found[1] == found[2] and not found[0] & found[1]
    assert len(found[0]) + len(found[1]) == 100 and len(found[0]) > 15 and len(found[1]) > 15


def test_consistent_hash_counts_each_binding_of_a_queue(t):
    if not t.shunt:
        raise Skip("RabbitMQ takes the first one only, and loses the queue with any of them")
    channel = confirming(t)
    exchange, queues = hashed(t, channel, ["1", "1"])
    channel.queue_bind(queues[0], exchange, "8")
    publish(channel, exchange, numbers(400))
    counts = list(map(len, taken(t, channel, queues)))
    assert sum(counts) == 400 and counts[0] > 320, counts
    channel.queue_unbind(queues[0], exchange, "8")
    publish(channel, exchange, numbers(400))
    counts = list(map(len, taken(t, channel, queues)))
    assert sum(counts) == 400 and 130 < counts[0] < 270, counts


def places(client, queues):
    found = {}
    for queue in queues:
        message = client.get(1, queue)
        while message is not None:
            found[message.body] = queue
            message = client.get(1, queue)
    return found


def test_hashes_are_the_same_after_a_restart(t):
    """Also with bindings that came in another order."""
    if not t.shunt:
        raise Skip("RabbitMQ's depend on the order of bindings")
    broker, queues, keys = t.shuntd(), ["q%d" % i for i in range(7)], numbers(200)

    def publish_to(client, exchange):
        for key in keys:
            client.publish(1, exchange, key, key.encode())
        return places(client, queues)
    client = t.wire_to(broker)
    for queue in queues:
        client.call(1, "queue.declare", queue=queue, durable=True)
    for kind in ("x-consistent-hash", "x-modulus-hash"):
        client.call(1, "exchange.declare", exchange=kind, type=kind, durable=True)
        client.call(1, "exchange.declare", exchange="other " + kind, type=kind)
        for queue in queues:
            client.call(1, "queue.bind", queue=queue, exchange=kind, routing_key="1")
        for queue in reversed(queues):
            client.call(1, "queue.bind", queue=queue, exchange="other " + kind, routing_key="1")
    before = {kind: publish_to(client, kind) for kind in ("x-consistent-hash", "x-modulus-hash")}
    for kind, found in before.items():
        assert len(found) == 200 and len(set(found.values())) == 7
        assert publish_to(client, "other " + kind) == found
    broker.end()
    broker.launch()
    client = t.wire_to(broker)
    for kind, found in before.items():
        assert publish_to(client, kind) == found


# ---- All that choose one binding

def test_one_queue_gets_a_message_with_cc(t):
    channel = confirming(t)
    for kind in CHOOSERS:
        exchange = t.exchange(channel, kind)
        queues = [t.bound_queue(channel, exchange, "1") for _ in range(4)]
        publish(channel, exchange, numbers(50), headers={"CC": numbers(5)})
        assert sum(map(len, taken(t, channel, queues))) == 50, kind


def test_choosers_without_bindings_return_the_message(t):
    channel = confirming(t)
    for kind in CHOOSERS + ["x-recent-history"]:
        exchange = t.exchange(channel, kind)
        try:
            channel.basic_publish(exchange, "k", b"m", mandatory=True)
        except pika.exceptions.UnroutableError as error:
            assert [message.body for message in error.messages] == [b"m"]
        else:
            raise AssertionError("%s: not returned" % kind)


def test_random_reaches_all_bindings(t):
    channel = confirming(t)
    exchange = t.exchange(channel, "x-random")
    queues = [t.bound_queue(channel, exchange, key) for key in ("", "a", "a")]
    publish(channel, exchange, numbers(300))
    counts = list(map(len, taken(t, channel, queues)))
    assert sum(counts) == 300 and min(counts) > 50, counts


def test_modulus_hash_gives_a_key_to_one_queue(t):
    channel = confirming(t)
    exchange = t.exchange(channel, "x-modulus-hash")
    queues = [t.bound_queue(channel, exchange, key) for key in ("", "a", "a")]
    publish(channel, exchange, numbers(150))
    first = taken(t, channel, queues)
    publish(channel, exchange, numbers(150))
    assert taken(t, channel, queues) == first
    assert sum(map(len, first)) == 150 and all(len(bodies) > 20 for bodies in first)


# ---- x-recent-history

def history(t, channel, length=None):
    arguments = None if length is None else {"x-recent-history-length": length}
    return t.exchange(channel, "x-recent-history", arguments=arguments)


def keys_of(count, first=0):
    return [key.encode() for key in numbers(count, first)]


def test_history_lengths(t):
    channel = t.channel()
    history(t, channel, 1)
    history(t, channel, 2 ** 40)
    for length, shown in ((0, "0"), (-5, "-5"), ("5", '<<"5">>'), (True, "true"), (None, "undefined")):
        channel = t.channel()
        with t.channel_closed(406, "PRECONDITION_FAILED - Invalid argument %s, 'x-recent-history-length' must be a "
                                   "positive integer" % shown):
            t.exchange(channel, "x-recent-history", arguments={"x-recent-history-length": length})


def test_history_is_20_messages(t):
    channel = confirming(t)
    exchange = history(t, channel)
    publish(channel, exchange, numbers(25), delivery_mode=2, headers={"h": "v"})
    queue = t.bound_queue(channel, exchange, "whatever")
    method, properties, body = t.get(channel, queue)
    assert (method.exchange, method.routing_key, method.redelivered, body) == (exchange, "k5", False, b"k5")
    assert (properties.delivery_mode, properties.headers) == (2, {"h": "v"})
    t.wait_counts(channel, queue, 19)
    assert t.bodies(channel, queue) == keys_of(19, 6)


def test_history_comes_before_what_is_published_then(t):
    channel = confirming(t)
    exchange = history(t, channel, 3)
    first = t.bound_queue(channel, exchange, "")
    publish(channel, exchange, numbers(5))
    second = t.bound_queue(channel, exchange, "")
    t.wait_counts(channel, second, 3)
    publish(channel, exchange, numbers(1, 5))
    assert t.bodies(channel, first) == keys_of(6)
    assert t.bodies(channel, second) == keys_of(4, 2)


def test_history_goes_to_each_new_binding(t):
    channel = confirming(t)
    exchange = history(t, channel)
    publish(channel, exchange, numbers(3))
    queue = t.bound_queue(channel, exchange, "a")
    t.wait_counts(channel, queue, 3)
    channel.queue_bind(queue, exchange, "a")   # is there already
    t.wait_counts(channel, queue, 3)
    channel.queue_bind(queue, exchange, "b")
    t.wait_counts(channel, queue, 6)
    assert t.bodies(channel, queue) == keys_of(3) * 2


def test_history_leaves_out_what_is_not_to_be_stored(t):
    channel = confirming(t)
    exchange = history(t, channel)
    for key, value in (("a", True), ("b", False), ("c", "yes"), ("d", 1), ("e", None)):
        publish(channel, exchange, [key], headers={"x-recent-history-no-store": value})
    queue = t.bound_queue(channel, exchange, "")
    t.wait_counts(channel, queue, 4)
    assert t.bodies(channel, queue) == [b"b", b"c", b"d", b"e"]
    publish(channel, exchange, ["f"], headers={"x-recent-history-no-store": True})
    assert t.bodies(channel, queue) == [b"f"]


def test_history_goes_through_a_bound_exchange(t):
    channel = confirming(t)
    exchange, direct = history(t, channel), t.exchange(channel, "direct")
    queue = t.bound_queue(channel, direct, "k1")
    publish(channel, exchange, ["k1", "k1", "k1"])
    channel.exchange_bind(direct, exchange, "")
    t.wait_counts(channel, queue, 3)
    assert t.bodies(channel, queue) == [b"k1"] * 3


def test_history_of_what_came_through_another_exchange(t):
    channel = confirming(t)
    exchange, source = history(t, channel), t.exchange(channel, "fanout")
    channel.exchange_bind(exchange, source, "")
    publish(channel, source, ["k"])
    queue = t.bound_queue(channel, exchange, "")
    method = t.get(channel, queue)[0]
    assert (method.exchange, method.routing_key) == (source, "k")


def test_history_is_bounded_in_bytes(t):
    broker = t.shuntd("plugin.exchange-recent-history.max_bytes=10000")
    client = t.wire_to(broker)
    client.call(1, "exchange.declare", exchange="e", type="x-recent-history")
    client.call(1, "queue.declare", queue="q")
    for i in range(8):
        client.publish(1, "e", "k", b"%d" % i + b"x" * 3000)
    client.call(1, "queue.bind", queue="q", exchange="e")
    found = []
    message = client.get(1, "q")
    while message is not None:
        found.append(message.body[:1])
        message = client.get(1, "q")
    assert found == [b"5", b"6", b"7"]


def test_history_ends_with_the_broker(t):
    broker = t.shuntd()
    client = t.wire_to(broker)
    client.call(1, "exchange.declare", exchange="e", type="x-recent-history", durable=True)
    client.call(1, "queue.declare", queue="q", durable=True)
    client.publish(1, "e", "k", b"m")
    client.call(1, "queue.bind", queue="q", exchange="e")
    assert client.get(1, "q").body == b"m"
    broker.end()
    broker.launch()
    client = t.wire_to(broker)
    client.call(1, "queue.bind", queue="q", exchange="e", routing_key="another")
    assert client.get(1, "q") is None
    client.publish(1, "e", "k", b"n")
    assert client.get(1, "q").body == b"n"
