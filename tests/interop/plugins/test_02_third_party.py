# SPDX-License-Identifier: MIT
"""A plugin of a third party: x_prefix.c, written and built with nothing but the installed SDK."""

import os
import re

import pika
import pika.exceptions

from lib import sdk

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "x_prefix.c")
FOUR = ["plugin=exchange-direct", "plugin=exchange-fanout", "plugin=exchange-topic", "plugin=exchange-headers"]


def serve(t, *options, loops=2):
    """(broker, pika connection) with the plugin, by its path, behind the four that ship."""
    broker = t.shuntd(*FOUR, "plugin=" + sdk.build(t, SOURCE), *options, loops=loops)
    return broker, t.connect(broker)


def drain(channel, queue):
    out = []
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return out
        out.append(body)


def closed(t, channel, code, text, call, *arguments):
    """The call closes the channel like this; returns a new one."""
    try:
        call(*arguments)
        raise AssertionError("the channel is still open; expected %s" % text)
    except pika.exceptions.ChannelClosedByBroker as error:
        assert (error.reply_code, error.reply_text) == (code, text), error
    return channel.connection.channel()


def test_declared_bound_and_used(t):
    _, connection = serve(t)
    channel = connection.channel()
    channel.exchange_declare("e", "x-prefix")
    for queue, prefixes in {"all": [""], "a": ["a"], "ab": ["ab", "abc"], "b": ["b"]}.items():
        channel.queue_declare(queue)
        for prefix in prefixes:
            channel.queue_bind(queue, "e", prefix)
    channel.confirm_delivery()
    for key in ("", "a", "ab", "abc", "abd", "b", "c"):
        channel.basic_publish("e", key, key.encode())
    # two bindings of one queue are one delivery
    assert drain(channel, "all") == [b"", b"a", b"ab", b"abc", b"abd", b"b", b"c"]
    assert drain(channel, "a") == [b"a", b"ab", b"abc", b"abd"]
    assert drain(channel, "ab") == [b"ab", b"abc", b"abd"]
    assert drain(channel, "b") == [b"b"]


def test_unbound_and_deleted(t):
    _, connection = serve(t)
    channel = connection.channel()
    channel.exchange_declare("e", "x-prefix")
    for i in range(100):
        channel.queue_declare("q%d" % i)
        channel.queue_bind("q%d" % i, "e", "k%d" % i)
    for i in range(0, 100, 2):
        channel.queue_unbind("q%d" % i, "e", "k%d" % i)
    channel.queue_delete("q1")
    for i in range(100):
        channel.basic_publish("e", "k%d" % i, b"m")
    # k3 is the beginning of k3 and k30 to k39
    assert len(drain(channel, "q3")) == 11
    assert drain(channel, "q4") == []
    assert drain(channel, "q99") == [b"m"]
    channel.exchange_delete("e")
    closed(t, channel, 404, "NOT_FOUND - no exchange 'e' in vhost '/'", channel.queue_bind, "q3", "e", "k")


def test_unroutable_is_returned(t):
    _, connection = serve(t)
    channel = connection.channel()
    channel.exchange_declare("e", "x-prefix")
    channel.confirm_delivery()
    try:
        channel.basic_publish("e", "k", b"m", mandatory=True)
        raise AssertionError("it was routed")
    except pika.exceptions.UnroutableError as error:
        assert error.messages[0].body == b"m"


def test_arguments_are_validated(t):
    _, connection = serve(t)
    channel = connection.channel()
    text = "PRECONDITION_FAILED - x-min-length is a whole number from 0 to 255"
    for wrong in (-1, 256, 2 ** 40, "3", True, None, [3], {"x": 3}):
        channel = closed(t, channel, 406, text, channel.exchange_declare, "e", "x-prefix", False, False, False, False,
                         {"x-min-length": wrong})
        channel = closed(t, channel, 404, "NOT_FOUND - no exchange 'e' in vhost '/'",
                         lambda c=channel: c.exchange_declare("e", passive=True))
    for right in (0, 3, 255):
        channel.exchange_declare("e%d" % right, "x-prefix", arguments={"x-min-length": right})


def test_binding_is_refused_with_its_text(t):
    _, connection = serve(t)
    channel = connection.channel()
    channel.exchange_declare("e", "x-prefix", arguments={"x-min-length": 3})
    channel.queue_declare("q")
    text = "PRECONDITION_FAILED - a prefix here has at least 3 bytes"
    channel = closed(t, channel, 406, text, channel.queue_bind, "q", "e", "ab")
    channel = closed(t, channel, 406, text, channel.exchange_bind, "amq.fanout", "e", "ab")
    channel.queue_bind("q", "e", "abc")
    channel.basic_publish("e", "ab", b"too short")
    channel.basic_publish("e", "abcd", b"m")
    assert drain(channel, "q") == [b"m"]


def test_option_of_the_plugin(t):
    _, connection = serve(t, "plugin.x-prefix.min-length=5")
    channel = connection.channel()
    channel.exchange_declare("e", "x-prefix")
    channel.exchange_declare("lax", "x-prefix", arguments={"x-min-length": 0})
    channel.queue_declare("q")
    channel.queue_bind("q", "lax", "")
    closed(t, channel, 406, "PRECONDITION_FAILED - a prefix here has at least 5 bytes", channel.queue_bind, "q", "e",
           "four")


def test_declared_again(t):
    _, connection = serve(t)
    channel = connection.channel()
    channel.exchange_declare("e", "x-prefix", durable=True)
    channel.exchange_declare("e", "x-prefix", durable=True)
    channel.exchange_declare("e", passive=True)
    text = ("PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'e' in vhost '/': received 'direct' but "
            "current is 'x-prefix'")
    closed(t, channel, 406, text, channel.exchange_declare, "e", "direct", False, True)


def test_beside_the_other_types(t):
    """A message goes through exchanges of three types, and once to each queue."""
    _, connection = serve(t)
    channel = connection.channel()
    channel.exchange_declare("first", "topic")
    channel.exchange_declare("second", "x-prefix")
    channel.exchange_declare("third", "fanout")
    channel.queue_declare("q")
    channel.exchange_bind("second", "first", "a.#")
    channel.exchange_bind("third", "second", "a.b")
    for exchange, key in (("first", "a.#"), ("second", "a.b.c"), ("third", "")):
        channel.queue_bind("q", exchange, key)
    channel.basic_publish("first", "a.b.c.d", b"m")
    assert drain(channel, "q") == [b"m"]


def test_as_and_with_an_alternate_exchange(t):
    _, connection = serve(t)
    channel = connection.channel()
    channel.exchange_declare("lost", "x-prefix", arguments={"alternate-exchange": "lost.again"})
    channel.exchange_declare("lost.again", "fanout")
    channel.exchange_declare("e", "direct", arguments={"alternate-exchange": "lost"})
    channel.queue_declare("q")
    channel.queue_declare("rest")
    channel.queue_bind("q", "lost", "a")
    channel.queue_bind("rest", "lost.again")
    channel.basic_publish("e", "abc", b"first")
    channel.basic_publish("e", "x", b"second")
    assert (drain(channel, "q"), drain(channel, "rest")) == ([b"first"], [b"second"])


def test_auto_delete_and_exclusive_queues(t):
    broker, connection = serve(t)
    channel = connection.channel()
    channel.exchange_declare("e", "x-prefix", auto_delete=True)
    other = t.connect(broker)
    on_other = other.channel()
    on_other.queue_declare("mine", exclusive=True)
    on_other.queue_bind("mine", "e", "a")
    channel.basic_publish("e", "a", b"m")
    other.close()
    closed(t, channel, 404, "NOT_FOUND - no exchange 'e' in vhost '/'",
           lambda: channel.exchange_declare("e", passive=True))


def test_routes_on_several_loops_at_once_while_bindings_change(t):
    """Publishers on all loops; a binding that comes and goes disturbs none of the others' messages."""
    broker, connection = serve(t, loops=4)
    channel = connection.channel()
    channel.exchange_declare("e", "x-prefix")
    clients = [t.wire_to(broker) for _ in range(8)]
    for i, client in enumerate(clients):
        client.call(1, "queue.declare", queue="q%d" % i)
        client.call(1, "queue.bind", queue="q%d" % i, exchange="e", routing_key="k%d" % i)
    for round_ in range(50):
        for i, client in enumerate(clients):
            for _ in range(10):
                client.publish(1, "e", "k%d.x" % i, b"m")
        channel.queue_bind("q0", "e", "other%d" % round_)
        if round_ % 2:
            channel.queue_unbind("q0", "e", "other%d" % round_)
    for i, client in enumerate(clients):
        client.expect_quiet(1)
        assert client.call(1, "queue.declare", queue="q%d" % i, passive=True).message_count == 500, i


def test_by_name_from_the_folder_of_plugins(t):
    """Its file's name is what counts there."""
    folder = sdk.folder(t)
    sdk.build(t, SOURCE, os.path.join(folder, "my-prefix.so"))
    broker = t.shuntd("plugins.dir=" + folder, "plugin=my-prefix")
    channel = t.connect(broker).channel()
    channel.exchange_declare("e", "x-prefix")
    closed(t, channel, 406, "PRECONDITION_FAILED - unknown exchange type 'direct'", channel.exchange_declare, "d",
           "direct")


def test_says_so_in_the_log(t):
    path = sdk.build(t, SOURCE)
    broker = t.shuntd("plugin=" + path)
    log = broker.log_tail(100)
    assert re.search(r" I plugin\[0\]: x-prefix: prefixes are at hand$", log, re.MULTILINE), log
    assert ' I plugin[0]: loaded: name=x-prefix version=0.1 path="%s"\n' % path in log, log
