# SPDX-License-Identifier: MIT
"""How it ends: SIGTERM amid work, and clients that are killed amid theirs."""

import itertools
import re
import select
import signal
import threading
import time

from lib import wire
from lib.runner import limit, slow
from lib.watch import has_input, publish_frames, reset

FORCED = re.compile("^CONNECTION_FORCED - ")


# ---- SIGTERM

class Publisher(threading.Thread):
    """Publishes with confirms till the broker says close; keeps what it was told."""

    def __init__(self, client, queue):
        super().__init__(daemon=True)
        self.client, self.queue = client, queue
        self.close = self.error = None
        self.confirmed = 0
        client.call(1, "confirm.select")

    def run(self):
        try:
            data = publish_frames(1, "", self.queue, bytes(500)) * 20
            while self.close is None:
                self.client.send_raw(data)
                while self.close is None and has_input(self.client):
                    self._read()
        except (OSError, wire.Closed):
            self._read_rest()
        except Exception as error:   # pylint: disable=broad-except
            self.error = error

    def _read(self):
        method = self.client.read_method("basic.ack", "connection.close")
        if method.name == "connection.close":
            self.close = method
            self.client.send(0, "connection.close-ok")
        else:
            self.confirmed = method.delivery_tag

    def _read_rest(self):
        try:
            while self.close is None:
                self._read()
        except (OSError, wire.Closed, AssertionError) as error:
            self.error = error


@limit(40)
def test_sigterm_amid_work(t):
    """Busy publishers and consumers get connection.close 320, and the broker ends with 0 well within its limit."""
    broker = t.shuntd(loops=2)
    first = t.wire_to(broker)
    first.call(1, "queue.declare", queue="q")
    consumers = [t.wire_to(broker) for _ in range(3)]
    for consumer in consumers:
        consumer.call(1, "basic.qos", prefetch_count=50)
        consumer.call(1, "basic.consume", queue="q")
    publishers = [Publisher(t.wire_to(broker), "q") for _ in range(4)]
    for publisher in publishers:
        publisher.start()
    t.wait(lambda: all(p.confirmed > 1000 or p.error for p in publishers), "some confirms")
    begin = time.monotonic()
    broker.tell_to_end()
    for publisher in publishers:
        publisher.join(t.limit)
        assert publisher.close is not None, publisher.error
        wire.check_close(publisher.close, 320, FORCED, 0)
        publisher.client.close_socket()
    first.expect_connection_close(320, FORCED)
    first.close_socket()
    for consumer in consumers:
        method = consumer.read_method("basic.deliver", "connection.close")
        while method.name == "basic.deliver":
            consumer.read_content(method)
            method = consumer.read_method("basic.deliver", "connection.close")
        wire.check_close(method, 320, FORCED, 0)
        consumer.send(0, "connection.close-ok")
        consumer.close_socket()
    assert broker.process.wait(t.limit) == 0
    # all have answered: it had nothing to wait for
    assert time.monotonic() - begin < 5 * t.broker.patience, time.monotonic() - begin


@slow
@limit(40)
def test_sigterm_ends_within_its_limit_whatever_clients_do(t):
    """One that never answers, one that does not read, one amid its handshake, one that is blocked."""
    # The deaf one holds its whole credit, 1 MiB, which goes to no disk: so the publisher is blocked for certain.
    broker = t.shuntd("vm_memory_high_watermark.absolute=768KiB", loops=2)
    silent, deaf, begun, publisher = t.wire_to(broker), t.wire_to(broker), t.socket_to(broker), t.wire_to(broker)
    begun.send_protocol_header()
    silent.call(1, "queue.declare", queue="q")
    deaf.call(1, "basic.consume", queue="q", no_ack=True)
    publisher.socket.setblocking(False)
    rest = data = publish_frames(1, "", "q", bytes(100000))
    while not select.select([publisher.socket], [], [], 0)[0]:
        if select.select([], [publisher.socket], [], 0.1)[1]:
            rest = rest[publisher.socket.send(rest):] or data
    publisher.socket.settimeout(publisher.limit)
    publisher.read_method("connection.blocked")
    begin = time.monotonic()
    broker.tell_to_end()
    assert broker.process.wait(t.limit) == 0
    assert time.monotonic() - begin < 8 * t.broker.patience, time.monotonic() - begin
    silent.expect_connection_close(320, FORCED)


@limit(20)
def test_second_sigterm_cuts(t):
    broker = t.shuntd(loops=2)
    clients = [t.wire_to(broker) for _ in range(10)]
    broker.tell_to_end()
    # they have been told, and do not answer
    for client in clients:
        client.read_method("connection.close")
    begin = time.monotonic()
    broker.process.send_signal(signal.SIGTERM)
    assert broker.process.wait(t.limit) == 0
    assert time.monotonic() - begin < 2 * t.broker.patience, time.monotonic() - begin


@limit(40)
def test_any_number_of_signals_end_it_in_good_order(t):
    """However late they come: the store is still closed, and the exit status tells so."""
    broker = t.shuntd(loops=2)
    client = t.wire_to(broker)
    client.call(1, "queue.declare", queue="q", durable=True)
    client.send_raw(publish_frames(1, "", "q", bytes(5000), {"delivery_mode": 2}) * 2000)
    client.call(1, "queue.declare", queue="q", passive=True)
    broker.tell_to_end()
    signals = itertools.cycle([signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    while broker.process.poll() is None:
        broker.process.send_signal(next(signals))
    assert broker.process.returncode == 0, broker.process.returncode


@limit(20)
def test_no_new_connections_while_it_ends(t):
    broker = t.shuntd(loops=2)
    client = t.wire_to(broker)
    broker.tell_to_end()
    client.read_method("connection.close")
    try:
        t.socket_to(broker)
    except ConnectionRefusedError:
        pass
    else:
        raise AssertionError("it accepts while it ends")
    client.send(0, "connection.close-ok")
    client.close_socket()
    assert broker.process.wait(t.limit) == 0


# ---- Clients that are killed

def take_all(client, queue, count):
    """(body, redelivered) of so many messages, by basic.get."""
    out = []
    for _ in range(count):
        message = client.get(1, queue)
        assert message is not None, "%d of %d messages" % (len(out), count)
        out.append((message.body, message.method.redelivered))
    assert client.get(1, queue) is None
    return out


def check_requeue(t, client, victim, watcher):
    """The victim holds the first 50 of 100 messages unacknowledged but for three, and is reset."""
    queue = t.owns(client.call(1, "queue.declare", queue=t.name("q")).queue)
    client.call(1, "confirm.select")
    for number in range(100):
        client.publish(1, "", queue, b"%d" % number)
    confirmed = 0
    while confirmed < 100:
        confirmed = client.read_method("basic.ack").delivery_tag
    victim.call(1, "basic.qos", prefetch_count=50)
    victim.call(1, "basic.consume", queue=queue)
    for number in range(50):
        assert victim.read_message().body == b"%d" % number
    victim.send(1, "basic.qos", prefetch_count=50)   # the acknowledgements' place is certain: before this answer
    for tag in (3, 7, 50):
        victim.send(1, "basic.reject", delivery_tag=tag, requeue=False)
    victim.read_method("basic.qos-ok")
    for number in (50, 51, 52):
        assert victim.read_message().body == b"%d" % number
    reset(victim)
    t.wait(lambda: watcher.call(1, "queue.declare", queue=queue, passive=True).message_count == 97, "97 ready messages")
    expected = [n for n in range(100) if n not in (2, 6, 49)]
    got = take_all(watcher, queue, 97)
    assert [int(body) for body, _ in got] == expected, got
    assert [redelivered for _, redelivered in got] == [n <= 52 for n in expected], got


def test_unacknowledged_messages_of_a_killed_consumer_are_requeued_in_order(t):
    check_requeue(t, t.wire(), t.wire(), t.wire())


def test_and_where_the_queue_is_on_another_loop(t):
    broker = t.shuntd(loops=2)
    clients = [t.wire_to(broker) for _ in range(3)]
    check_requeue(t, clients[0], clients[1], clients[2])


def test_and_on_one_loop(t):
    broker = t.shuntd(loops=1)
    check_requeue(t, t.wire_to(broker), t.wire_to(broker), t.wire_to(broker))


@limit(60)
def test_what_was_confirmed_to_a_killed_publisher_is_there(t):
    """Reset amid its publishing, ten times: a prefix of what it sent is in the queue, all of the confirmed among it."""
    broker = t.shuntd(loops=2)
    watcher = t.wire_to(broker)
    for run in range(10):
        queue = "q%d" % run
        watcher.call(1, "queue.declare", queue=queue)
        victim = t.wire_to(broker)
        victim.call(1, "confirm.select")
        number = confirmed = 0
        while confirmed < 500 + 100 * run:
            victim.send_raw(b"".join(publish_frames(1, "", queue, b"%d" % (number + i)) for i in range(100)))
            number += 100
            while has_input(victim):
                ack = victim.read_method("basic.ack")
                confirmed = max(confirmed, ack.delivery_tag)
        victim.send_raw(publish_frames(1, "", queue, bytes(70000))[:-1000])   # half a message
        reset(victim)
        t.wait(lambda: watcher.call(1, "queue.declare", queue=queue, passive=True).message_count >= confirmed,
               "the confirmed messages")
        seen = []
        message = watcher.get(1, queue)
        while message is not None:
            seen.append(int(message.body))
            message = watcher.get(1, queue)
        assert seen == list(range(len(seen))) and confirmed <= len(seen) <= number, (seen[:5], len(seen), confirmed)
        watcher.call(1, "queue.delete", queue=queue)


def test_exclusive_queues_of_killed_clients_go(t):
    broker = t.shuntd(loops=2)
    watcher = t.wire_to(broker)
    for number in range(20):
        victim = t.wire_to(broker)
        victim.call(1, "queue.declare", queue="mine%d" % number, exclusive=True)
        victim.send_raw(publish_frames(1, "", "mine%d" % number, bytes(1000)) * 10)
        reset(victim)

    def are_gone():
        for number in range(20):
            watcher.send(1, "queue.declare", queue="mine%d" % number, passive=True)
            answer = watcher.read_method("queue.declare-ok", "channel.close")
            if answer.name == "channel.close":
                watcher.send(1, "channel.close-ok")
                watcher.open_channel(1)
            if answer.name == "queue.declare-ok" or answer.reply_code != 404:
                return False
        return True
    t.wait(are_gone, "the end of the exclusive queues")
