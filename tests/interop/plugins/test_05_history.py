# SPDX-License-Identifier: MIT
"""Exchange types that remember (observe, bound) and describe their arguments, by a plugin of a third party: x_history.c."""

import os
import threading

from lib import sdk
from lib.runner import limit
from lib.shuntctl import ctl

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "x_history.c")


FOUR = ["plugin=exchange-direct", "plugin=exchange-fanout", "plugin=exchange-topic", "plugin=exchange-headers"]


def serve(t, *options, loops=2):
    return t.shuntd(*FOUR, "plugin=" + sdk.build(t, SOURCE), *options, loops=loops)


def drain(client, queue, channel=1):
    """The bodies in the queue, taken out."""
    out = []
    while True:
        message = client.get(channel, queue)
        if message is None:
            return out
        out.append(message.body)


def declare(client, exchange, length=None, **flags):
    client.call(1, "exchange.declare", exchange=exchange, type="x-history",
                arguments={} if length is None else {"x-history-length": length}, **flags)


def bodies(count, first=0):
    return [b"%d" % i for i in range(first, first + count)]


def publish_all(client, exchange, texts, channel=1, **options):
    for text in texts:
        client.publish(channel, exchange, "", text, **options)


def on_each_number_of_loops(t, run):
    path = sdk.build(t, SOURCE)
    for loops in (1, 2, 4):
        run(t.shuntd(*FOUR, "plugin=" + path, loops=loops))


def test_new_binding_gets_the_last_ones(t):
    def run(broker):
        client = t.wire_to(broker)
        declare(client, "e")
        client.call(1, "queue.declare", queue="q")
        publish_all(client, "e", bodies(5))
        client.call(1, "queue.bind", queue="q", exchange="e")
        assert drain(client, "q") == bodies(3, 2)
        publish_all(client, "e", [b"next"])
        client.call(1, "queue.bind", queue="q", exchange="e")   # is there already
        assert drain(client, "q") == [b"next"]
    on_each_number_of_loops(t, run)


@limit(60)
def test_publish_and_bind_on_one_channel(t):
    """Exchanges and queues are on all loops, so some are on others than the connection's."""
    def run(broker):
        client = t.wire_to(broker)
        for i in range(8):
            exchange, queue = "e%d" % i, "q%d" % i
            declare(client, exchange, 1000)
            client.call(1, "queue.declare", queue=queue)
            for _ in range(3):
                publish_all(client, exchange, bodies(100))
                client.call(1, "queue.bind", queue=queue, exchange=exchange)
                client.call(1, "queue.unbind", queue=queue, exchange=exchange)
            # 100, then 200, then 300 of the thousand that are kept
            assert drain(client, queue) == bodies(100) + bodies(100) * 2 + bodies(100) * 3, (i, exchange)
    on_each_number_of_loops(t, run)


@limit(60)
def test_publish_and_bind_on_two_channels_of_a_connection(t):
    def run(broker):
        client = t.wire_to(broker)
        client.open_channel(2)
        for i in range(12):
            declare(client, "e%d" % i, 1000)
            client.call(1, "queue.declare", queue="q%d" % i)
            publish_all(client, "e%d" % i, bodies(200))
            client.call(2, "queue.bind", queue="q%d" % i, exchange="e%d" % i)
            assert drain(client, "q%d" % i) == bodies(200), i
    on_each_number_of_loops(t, run)


@limit(60)
def test_confirmed_and_bound_on_another_connection(t):
    def run(broker):
        client, other = t.wire_to(broker), t.wire_to(broker)
        client.call(1, "confirm.select")
        for i in range(12):
            declare(client, "e%d" % i, 1000)
            other.call(1, "queue.declare", queue="q%d" % i)
            publish_all(client, "e%d" % i, bodies(100))
            acknowledged = 0
            while acknowledged < (i + 1) * 100:
                acknowledged = client.read_method("basic.ack", channel=1).delivery_tag
            other.call(1, "queue.bind", queue="q%d" % i, exchange="e%d" % i)
            assert drain(other, "q%d" % i) == bodies(100), i
    on_each_number_of_loops(t, run)


@limit(60)
def test_committed_and_bound_on_another_connection(t):
    def run(broker):
        client, other = t.wire_to(broker), t.wire_to(broker)
        client.call(1, "tx.select")
        for i in range(8):
            declare(client, "e%d" % i, 1000)
            other.call(1, "queue.declare", queue="q%d" % i)
            publish_all(client, "e%d" % i, bodies(100))
            client.call(1, "tx.rollback")
            publish_all(client, "e%d" % i, bodies(100))
            client.call(1, "tx.commit")
            other.call(1, "queue.bind", queue="q%d" % i, exchange="e%d" % i)
            assert drain(other, "q%d" % i) == bodies(100), i
    on_each_number_of_loops(t, run)


def test_mandatory_is_returned_and_remembered(t):
    client = t.wire_to(serve(t))
    declare(client, "e")
    client.call(1, "confirm.select")
    client.publish(1, "e", "k", b"m", mandatory=True)
    returned = client.read_message("basic.return")
    assert (returned.method.reply_code, returned.body) == (312, b"m")
    assert client.read_method("basic.ack", channel=1).delivery_tag == 1
    client.call(1, "queue.declare", queue="q")
    client.call(1, "queue.bind", queue="q", exchange="e")
    assert drain(client, "q") == [b"m"]


def test_behind_a_binding_and_as_alternate_exchange(t):
    client = t.wire_to(serve(t))
    declare(client, "h", internal=True)
    client.call(1, "exchange.declare", exchange="first", type="topic")
    client.call(1, "exchange.bind", source="first", destination="h", routing_key="a.#")
    client.call(1, "exchange.declare", exchange="second", type="direct", arguments={"alternate-exchange": "h"})
    client.publish(1, "first", "a.b", b"1")
    client.publish(1, "first", "b.b", b"not")
    client.publish(1, "second", "x", b"2")
    client.call(1, "queue.declare", queue="q")
    client.call(1, "queue.bind", queue="q", exchange="h")
    assert drain(client, "q") == [b"1", b"2"]


def test_sent_to_an_exchange(t):
    def run(broker):
        client = t.wire_to(broker)
        declare(client, "e", 100)
        client.call(1, "exchange.declare", exchange="d", type="direct")
        for queue in ("even", "odd"):
            client.call(1, "queue.declare", queue=queue)
            client.call(1, "queue.bind", queue=queue, exchange="d", routing_key=queue)
        for i in range(40):
            client.publish(1, "e", "odd" if i % 2 else "even", b"%d" % i)
        client.call(1, "exchange.bind", source="e", destination="d")
        assert drain(client, "even") == [b"%d" % i for i in range(0, 40, 2)]
        assert drain(client, "odd") == [b"%d" % i for i in range(1, 40, 2)]
    on_each_number_of_loops(t, run)


@limit(60)
def test_durable_binding_and_persistent_messages(t):
    """What was sent is stored; nothing is sent again when the binding comes back after a restart."""
    def run(broker):
        client = t.wire_to(broker)
        for i in range(4):
            declare(client, "e%d" % i, 100, durable=True)
            client.call(1, "queue.declare", queue="q%d" % i, durable=True)
            publish_all(client, "e%d" % i, bodies(50), properties={"delivery_mode": 2})
            client.call(1, "queue.bind", queue="q%d" % i, exchange="e%d" % i)
        client.close()
        broker.tell_to_end()
        broker.process.wait(30)
        broker.launch()
        client = t.wire_to(broker)
        for i in range(4):
            assert drain(client, "q%d" % i) == bodies(50), i
    on_each_number_of_loops(t, run)


@limit(60)
def test_many_messages_to_a_new_binding(t):
    """They go in steps; the broker serves others meanwhile, and bind-ok comes when all are there."""
    broker = serve(t, loops=2)
    client = t.wire_to(broker)
    client.limit = 40
    declare(client, "e", 100000)
    client.call(1, "confirm.select")
    publish_all(client, "e", bodies(100000))
    tag = 0
    while tag < 100000:
        tag = client.read_method("basic.ack", channel=1).delivery_tag
    for queue in ("q1", "q2"):
        client.call(1, "queue.declare", queue=queue)
        client.call(1, "queue.bind", queue=queue, exchange="e")
        assert client.call(1, "queue.declare", queue=queue, passive=True).message_count == 100000
        assert client.get(1, queue).body == b"0"


@limit(60)
def test_exchange_comes_and_goes_under_load(t):
    """Nothing is lost of what else goes on, and nothing breaks."""
    broker = serve(t, loops=4)
    clients = [t.wire_to(broker) for _ in range(4)]
    for i, client in enumerate(clients):
        client.call(1, "exchange.declare", exchange="f%d" % i, type="fanout")
        client.call(1, "queue.declare", queue="q%d" % i)
        client.call(1, "queue.bind", queue="q%d" % i, exchange="f%d" % i)
    end = threading.Event()
    failures = []
    sent = [0] * len(clients)

    def publish(i):
        try:
            while not end.is_set():
                publish_all(clients[i], "f%d" % i, bodies(20))
                sent[i] += 20
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    threads = [threading.Thread(target=publish, args=(i,)) for i in range(len(clients))]
    for thread in threads:
        thread.start()
    other = t.wire_to(broker)
    other.call(1, "queue.declare", queue="late")
    try:
        for _ in range(60):
            declare(other, "h")
            for i in range(len(clients)):
                other.call(1, "exchange.bind", source="f%d" % i, destination="h")
            other.call(1, "queue.bind", queue="late", exchange="h")
            other.call(1, "queue.unbind", queue="late", exchange="h")
            other.call(1, "exchange.delete", exchange="h")
    finally:
        end.set()
        for thread in threads:
            thread.join()
    assert not failures, failures
    for i, client in enumerate(clients):
        client.expect_quiet(1)
        assert client.call(1, "queue.declare", queue="q%d" % i, passive=True).message_count == sent[i]


def test_arguments_are_described(t):
    client = t.wire_to(serve(t))
    text = "PRECONDITION_FAILED - invalid arg 'x-history-length' for exchange 'e' in vhost '/': \"%s\""
    for value, why in ((0, "expected 1..1000000, got 0"), ("3", "expected integer, got longstr"),
                       (True, "expected integer, got bool"), (2 ** 40, "expected 1..1000000, got 1099511627776")):
        client.send(1, "exchange.declare", exchange="e", type="x-history", arguments={"x-history-length": value})
        client.expect_channel_close(1, 406, text % why)
        client.open_channel(1)
    declare(client, "e", 5)
    # RabbitMQ compares alternate-exchange alone
    declare(client, "e", 6)
    client.call(1, "queue.declare", queue="q")
    publish_all(client, "e", bodies(9))
    client.call(1, "queue.bind", queue="q", exchange="e", arguments={"last": 2})
    assert drain(client, "q") == bodies(2, 7)
    client.send(1, "queue.bind", queue="q", exchange="e", arguments={"last": "2"})
    client.expect_channel_close(1, 406, "PRECONDITION_FAILED - invalid arg 'last' for binding of exchange 'e' in "
                                "vhost '/': \"expected integer, got longstr\"")


@limit(90)
def test_reloaded_while_it_observes(t):
    """Messages on their way to be observed find the new version; none is lost, all are confirmed."""
    broker = serve(t, loops=4)
    path = broker.options[-1].split("=", 1)[1]
    clients = [t.wire_to(broker) for _ in range(4)]
    declare(clients[0], "e", 100)
    for i, client in enumerate(clients):
        client.call(1, "queue.declare", queue="q%d" % i)
        client.call(1, "queue.bind", queue="q%d" % i, exchange="e")
        client.call(1, "confirm.select")
    end = threading.Event()
    failures = []
    sent = [0] * len(clients)

    def publish(i):
        try:
            while not end.is_set():
                publish_all(clients[i], "e", bodies(50))
                sent[i] += 50
                acknowledged = 0
                while acknowledged < sent[i]:
                    acknowledged = clients[i].read_method("basic.ack", channel=1).delivery_tag
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    threads = [threading.Thread(target=publish, args=(i,)) for i in range(len(clients))]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            ctl(t, "plugin", "reload", "x-history", path, broker=broker)
    finally:
        end.set()
        for thread in threads:
            thread.join()
    assert not failures, failures
    for i, client in enumerate(clients):
        assert client.call(1, "queue.declare", queue="q%d" % i, passive=True).message_count == sum(sent), i
    other = t.wire_to(broker)
    publish_all(other, "e", bodies(5))
    other.call(1, "queue.declare", queue="late")
    other.call(1, "queue.bind", queue="late", exchange="e")
    late = drain(other, "late")
    assert late[-5:] == bodies(5), late
