# SPDX-License-Identifier: MIT
"""Hooks come, go and are replaced while messages pass: each message has all of one version's hooks, and none is lost."""

import threading

from lib.shuntctl import ctl

from plugins.hooked import counts, send, serve

FLIGHT = 50   # publishes at the same time, and then their confirms


class Publisher(threading.Thread):
    """Publishes and reads confirms, until told to end; its messages are numbered."""

    def __init__(self, t, broker):
        super().__init__()
        self.client = t.wire_to(broker)
        self.client.call(1, "confirm.select")
        self.is_ending = threading.Event()
        self.count, self.error = 0, None
        t.cleanup(self.end)
        self.start()

    def run(self):
        try:
            while not self.is_ending.is_set():
                for _ in range(FLIGHT):
                    send(self.client, "q", b"%d" % self.count, a_set={"b.body": b"by b"}, b_app="b", da_app="d",
                         da_set={"db.body": b"delivered"})
                    self.count += 1
                told = 0
                while told < self.count:
                    ack = self.client.read_method("basic.ack", channel=1)
                    told = ack.delivery_tag
        except Exception as error:   # noqa: BLE001  (told by the test)
            self.error = error

    def end(self):
        self.is_ending.set()
        self.join()
        return self.count


def read_all(t, consumer, count):
    for _ in range(count):
        message = consumer.read_message()
        # what the first publish hook has set, the second has found; and so at delivery
        assert (message.body, message.properties["app_id"]) == (b"delivered", "d"), (message.body, message.properties)
        assert message.properties["headers"]["b.body"] == "by b", message.properties
    assert counts(consumer, "q") == [0]


def test_replaced_while_messages_pass(t):
    broker = serve(t)
    consumer = t.wire_to(broker)
    consumer.call(1, "queue.declare", queue="q")
    publishers = [Publisher(t, broker) for _ in range(2)]
    for _ in range(20):
        before = [p.count for p in publishers]
        ctl(t, "plugin", "reload", "x-hooks", broker=broker)
        t.wait(lambda: all(p.error or p.count > n for p, n in zip(publishers, before)), "more messages")
    total = sum(p.end() for p in publishers)
    assert [p.error for p in publishers] == [None, None]
    consumer.call(1, "basic.consume", queue="q", no_ack=True)
    read_all(t, consumer, total)


def test_replaced_while_messages_are_delivered(t):
    broker = serve(t)
    consumer = t.wire_to(broker)
    consumer.call(1, "queue.declare", queue="q")
    consumer.call(1, "basic.qos", prefetch_count=10)
    for _ in range(2000):
        send(consumer, "q", da_app="d", da_set={"db.body": b"delivered", "b.body": "by b"})
    assert counts(consumer, "q") == [2000]
    consumer.call(1, "basic.consume", queue="q")
    for i in range(2000):
        message = consumer.read_message()
        assert (message.body, message.properties["app_id"]) == (b"delivered", "d"), (i, message.body)
        consumer.send(1, "basic.ack", delivery_tag=i + 1)
        if i % 200 == 0:
            ctl(t, "plugin", "reload", "x-hooks", broker=broker)
    assert counts(consumer, "q") == [0]


def test_taken_out_and_loaded_again(t):
    broker = serve(t)
    client = t.wire_to(broker)
    client.call(1, "queue.declare", queue="q")
    path = [option for option in broker.options if option.endswith(".so")][0].split("=", 1)[1]
    for _ in range(3):
        send(client, "q", b"m", a_body="changed")
        assert client.get(1, "q").body == b"changed"
        ctl(t, "plugin", "unload", "x-hooks", broker=broker)
        send(client, "q", b"m", a_body="changed", da_drop=True)
        assert client.get(1, "q").body == b"m"
        ctl(t, "plugin", "load", path, broker=broker)


def test_replaced_while_its_own_messages_are_pending(t):
    """Threads of the old version publish until stop() has ended them; what it has handed over goes out."""
    broker = serve(t)
    client = t.wire_to(broker)
    for queue in ("q", "copies", "outcomes"):
        client.call(1, "queue.declare", queue=queue)
    for _ in range(5):
        for _ in range(4):
            send(client, "q", a_thread="copies", a_times=2000, b_publish="copies", b_times=500)
        ctl(t, "plugin", "reload", "x-hooks", broker=broker)
    t.wait(lambda: counts(client, "copies") == [5 * 4 * 2500], "all that was published")
    # done() is not called any more of what threads publish while stop() waits for them
    t.wait(lambda: counts(client, "outcomes")[0] >= 5 * 4 * 500, "what became of all that hooks have published")
    assert counts(client, "outcomes")[0] <= 5 * 4 * 2500
    client.close()
