# SPDX-License-Identifier: MIT
"""The examples of the SDK, built with nothing but what is installed, and used by clients."""

import os

import pika
import pika.exceptions

from lib import broker as brokers
from lib import sdk
from lib.runner import limit

FOUR = ["plugin=exchange-direct", "plugin=exchange-fanout", "plugin=exchange-topic", "plugin=exchange-headers"]


def serve(t, example, *options):
    """A broker with the example behind the four that ship."""
    return t.shuntd(*FOUR, "plugin=" + sdk.build(t, os.path.join(sdk.SOURCES, "examples", example)), *options)


def connect(t, broker, user=None, password=None):
    return t.connect(broker, credentials=pika.PlainCredentials(user or broker.user, password or broker.password))


def drain(channel, queue):
    out = []
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return out
        out.append(body)


def refused(connection, code, text, call):
    """The call, which gets a channel of its own, ends with this."""
    try:
        call(connection.channel())
    except pika.exceptions.ChannelClosedByBroker as error:
        assert (error.reply_code, error.reply_text) == (code, text), error
    else:
        raise AssertionError("it was done; expected %s" % text)


def test_geohash_goes_to_all_areas_around(t):
    connection = connect(t, serve(t, "by-geohash.c"))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.exchange_declare("e", "x-by-geohash")
    areas = {"world": "", "berlin": "u33d", "street": "u33dc0h", "hamburg": "u1x0"}
    for queue, area in areas.items():
        channel.queue_declare(queue)
        channel.queue_bind(queue, "e", area)
    for key in ("u33dc0hx8.taxi.7", "u33dz", "u1x0e", "u3", "taxi"):
        channel.basic_publish("e", key, key.encode())
    found = {queue: drain(channel, queue) for queue in areas}
    assert found == {"world": [b"u33dc0hx8.taxi.7", b"u33dz", b"u1x0e", b"u3", b"taxi"],
                     "berlin": [b"u33dc0hx8.taxi.7", b"u33dz"], "street": [b"u33dc0hx8.taxi.7"],
                     "hamburg": [b"u1x0e"]}, found
    for wrong in ("berlin", "u33.", "0123456789bcd"):
        refused(connection, 406, "PRECONDITION_FAILED - the key is no geohash",
                lambda c, key=wrong: c.queue_bind("world", "e", key))


def spread(channel, queues, bodies):
    """{body: queue} after each was published."""
    for body in bodies:
        channel.basic_publish("e", "", body)
    where = {}
    for queue in queues:
        for body in drain(channel, queue):
            assert body not in where, "%r is in two queues" % body
            where[body] = queue
    assert len(where) == len(bodies)
    return where


@limit(40)
def test_content_decides_alone_and_little_moves(t):
    """Equal bodies meet, also after a restart; a queue that goes gives away its own bodies and no others."""
    broker = serve(t, "by-content.c")
    connection = connect(t, broker)
    channel = connection.channel()
    channel.confirm_delivery()
    channel.exchange_declare("e", "x-by-content", durable=True)
    queues = ["q%d" % i for i in range(4)]
    for queue in queues:
        channel.queue_declare(queue, durable=True)
        channel.queue_bind(queue, "e")
    bodies = [b"body %d" % i for i in range(200)]
    first = spread(channel, queues, bodies)
    assert min(list(first.values()).count(queue) for queue in queues) > 20, first
    assert spread(channel, queues, bodies) == first
    connection.close()
    broker.tell_to_end()
    brokers.end_process(broker.process, 0, 30 * broker.patience)
    broker.launch()
    channel = connect(t, broker).channel()
    channel.confirm_delivery()
    assert spread(channel, queues, bodies) == first
    channel.queue_delete("q2")
    second = spread(channel, [queue for queue in queues if queue != "q2"], bodies)
    moved = [body for body in bodies if second[body] != first[body]]
    assert moved == [body for body in bodies if first[body] == "q2"]


def policy_with_alice(t):
    """The settings for shunt-sdk's own policy, whose users.example knows alice, an owner."""
    directory = sdk.new(t, "policy", "x-file")
    sdk.make(t, directory)
    return ["plugin=%s/x-file.so" % directory, "plugin.x-file.users=%s/users.example" % directory]


def test_own_names_of_a_user(t):
    connection = connect(t, serve(t, "own-names.c", *policy_with_alice(t)), "alice", "wonderland")
    channel = connection.channel()
    for name in ("alice", "alice.orders"):
        channel.exchange_declare(name, "fanout")
        channel.queue_declare(name)
        channel.queue_bind(name, name)
    channel.confirm_delivery()
    channel.basic_publish("alice.orders", "", b"m")
    assert drain(channel, "alice.orders") == [b"m"]
    own = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(own, "amq.fanout")
    text = "ACCESS_REFUSED - %s access to %s '%s' in vhost '/' refused for user 'alice'"
    for name in ("bob.orders", "alicex", "alic"):
        refused(connection, 403, text % ("configure", "exchange", name),
                lambda c, n=name: c.exchange_declare(n, "fanout"))
        refused(connection, 403, text % ("configure", "queue", name), lambda c, n=name: c.queue_declare(n))

    def publish(to):
        to.confirm_delivery()
        to.basic_publish("amq.fanout", "", b"m")
    refused(connection, 403, text % ("write", "exchange", "amq.fanout"), publish)


def test_own_names_leaves_administrators_alone(t):
    connection = connect(t, serve(t, "own-names.c"))
    channel = connection.channel()
    channel.queue_declare("whatever")
    channel.confirm_delivery()
    channel.basic_publish("", "whatever", b"m")
    assert drain(channel, "whatever") == [b"m"]


def test_own_names_lets_in_from_its_networks_only(t):
    connect(t, serve(t, "own-names.c", "plugin.own-names.networks=10. 127.0.0.1 ::1"))
    broker = serve(t, "own-names.c", "plugin.own-names.networks=10. 127.0.0.2")
    try:
        connect(t, broker)
    except pika.exceptions.ProbableAuthenticationError:
        pass
    else:
        raise AssertionError("it was let in")
