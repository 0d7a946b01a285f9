# SPDX-License-Identifier: MIT
"""Back pressure: whoever is too fast waits, whoever does not read pays for it alone, and memory has bounds."""

import itertools
import threading

from lib import wire
from lib.runner import limit
from lib.watch import (MiB, ShortQueues, check_growth, check_peak, forget_peak, frames, publish_frames, resident_bytes,
                       send_until_blocked, send_until_refused)


def two_clients(t, broker):
    """One on each of two loops: connections go round. A queue is where its declarer is."""
    return t.wire_to(broker), t.wire_to(broker)


LIMIT = 64 * MiB


def limited(t, loops=2):
    return t.shuntd("vm_memory_high_watermark.absolute=%d" % LIMIT, loops=loops)


def check_bound(broker):
    """What the limit counts, what is under way, and what malloc adds."""
    check_peak(broker, (LIMIT + 8 * MiB) * 1.4)


def check_alarm(t, body_size):
    """A publisher into queues on another loop, more than there is memory for."""
    broker = limited(t)
    consumer, publisher = two_clients(t, broker)
    queues = ShortQueues(consumer, body_size, 150 * MiB)
    assert send_until_blocked(publisher, queues.chunks()) is not None, "150 MiB went in with a limit of 64"
    blocked = publisher.read_method("connection.blocked", channel=0)
    assert blocked.reason == "low on memory", blocked
    check_bound(broker)
    # others go on, also a connection that has never published: it empties the queues
    ready = queues.ready()
    assert ready * body_size > 8 * MiB, ready
    queues.purge()
    publisher.read_method("connection.unblocked", channel=0)
    check_bound(broker)


@limit(40)
def test_publisher_of_large_messages_is_held_by_the_memory_alarm(t):
    check_alarm(t, 100000)


@limit(60)
def test_publisher_of_small_messages_is_held_by_the_memory_alarm(t):
    check_alarm(t, 100)


def check_flooded_queue(t, body_size, batch, properties, on_own_loop):
    """A publisher without confirms, as fast as it can, into one queue. Its messages go to the disk, and what is known of
    them stays in memory: whichever of the two holds it, memory is bounded, and nothing of what went in is lost."""
    broker = limited(t)
    owner, publisher = two_clients(t, broker)
    (publisher if on_own_loop else owner).call(1, "queue.declare", queue="q", durable=True)
    data = publish_frames(1, "", "q", bytes(body_size), properties) * batch
    count = 250 * MiB // len(data)
    sent = send_until_blocked(publisher, itertools.repeat(data, count))
    check_bound(broker)
    if sent is None:
        t.wait(lambda: owner.call(1, "queue.declare", queue="q", passive=True).message_count == count * batch,
               "%d messages" % (count * batch))
    else:
        assert publisher.read_method("connection.blocked", channel=0).reason == "low on memory"
    check_bound(broker)
    owner.call(1, "basic.qos", prefetch_count=100)
    owner.call(1, "basic.consume", queue="q")
    for _ in range(min(1000, (count if sent is None else sent) * batch)):
        message = owner.read_message()
        assert len(message.body) == body_size
        owner.send(1, "basic.ack", delivery_tag=message.method.delivery_tag)
    check_bound(broker)


PERSISTENT = {"delivery_mode": 2}


@limit(60)
def test_flood_of_large_messages_into_one_queue(t):
    check_flooded_queue(t, 100000, 1, None, False)


@limit(60)
def test_flood_of_small_messages_into_one_queue(t):
    check_flooded_queue(t, 100, 500, None, False)


@limit(60)
def test_flood_of_large_persistent_messages_into_one_queue(t):
    check_flooded_queue(t, 100000, 1, PERSISTENT, False)


@limit(60)
def test_flood_of_small_persistent_messages_into_one_queue(t):
    check_flooded_queue(t, 100, 500, PERSISTENT, False)


@limit(60)
def test_flood_of_persistent_messages_on_one_loop(t):
    check_flooded_queue(t, 1000, 50, PERSISTENT, True)


@limit(60)
def test_persistent_messages_of_many_short_queues(t):
    """They leave memory when that is short: the alarm may be set for a while, but nobody need read for it to end."""
    broker = limited(t)
    owner, publisher = two_clients(t, broker)
    queues = ShortQueues(owner, 50000, 150 * MiB, durable=True)
    for chunk in queues.chunks():
        publisher.send_raw(chunk)
    expected = len(queues.names) * queues.per_queue
    t.wait(lambda: queues.ready() == expected, "%d messages" % expected)
    check_bound(broker)


@limit(40)
def test_consumers_go_on_while_publishers_are_blocked(t):
    """connection.blocked is for the publisher; a consumer takes all there is, and then publishing goes on."""
    broker = limited(t)
    consumer, publisher = two_clients(t, broker)
    queues = ShortQueues(consumer, 100000, 150 * MiB)
    assert send_until_blocked(publisher, queues.chunks()) is not None
    publisher.read_method("connection.blocked", channel=0)
    other = t.wire_to(broker)   # a third may come in, declare and read
    other.call(1, "queue.declare", queue="other", exclusive=True)
    ready = queues.ready()
    consumer.call(1, "basic.qos", prefetch_count=20)
    queues.consume()
    for _ in range(ready):
        message = consumer.read_message()
        consumer.send(1, "basic.ack", delivery_tag=message.method.delivery_tag)
    publisher.read_method("connection.unblocked", channel=0)


@limit(60)
def test_consumer_that_stops_reading_costs_its_credit(t):
    """200 MiB in a queue, one consumer without acknowledgements that does not read: what it holds is its credit and
    its socket's buffers; others get the rest; when it reads again it gets what it was sent, in order."""
    size, count = 64 * 1024, 3200
    broker = t.shuntd("vm_memory_high_watermark.absolute=2GB", loops=2)
    owner, publisher = two_clients(t, broker)
    owner.call(1, "queue.declare", queue="q")
    deaf = t.wire_to(broker)
    deaf.call(1, "basic.consume", queue="q", no_ack=True)
    publisher.call(1, "confirm.select")
    for number in range(count):
        publisher.send_raw(publish_frames(1, "", "q", number.to_bytes(4, "big") + bytes(size - 4)))
    confirmed = 0
    while confirmed < count:
        confirmed = publisher.read_method("basic.ack").delivery_tag
    ready = owner.call(1, "queue.declare", queue="q", passive=True).message_count
    taken = count - ready
    assert taken * size <= 24 * MiB, "%d of %d messages went to a consumer that does not read" % (taken, count)
    check_peak(broker, 200 * MiB * 1.15 + 32 * MiB)
    # another one, with acknowledgements, goes on
    owner.call(1, "basic.qos", prefetch_count=100)
    owner.call(1, "basic.consume", queue="q")
    seen = []
    while len(seen) < count - taken - 200:
        message = owner.read_message()
        owner.send(1, "basic.ack", delivery_tag=message.method.delivery_tag)
        seen.append(int.from_bytes(message.body[:4], "big"))
    assert seen == sorted(seen) and seen[0] == taken, (seen[:3], taken)
    # and this one reads again, in order from the first
    assert [int.from_bytes(deaf.read_message().body[:4], "big") for _ in range(taken)] == list(range(taken))


@limit(40)
def test_consumer_that_stops_reading_costs_its_prefetch(t):
    broker = t.shuntd(loops=2)
    owner, publisher = two_clients(t, broker)
    owner.call(1, "queue.declare", queue="q")
    deaf = t.wire_to(broker)
    deaf.call(1, "basic.qos", prefetch_count=7)
    deaf.call(1, "basic.consume", queue="q")
    publisher.call(1, "confirm.select")
    publisher.send_raw(publish_frames(1, "", "q", bytes(1000)) * 1000)
    confirmed = 0
    while confirmed < 1000:
        confirmed = publisher.read_method("basic.ack").delivery_tag
    t.wait(lambda: owner.call(1, "queue.declare", queue="q", passive=True).message_count == 993, "993 ready messages")


@limit(60)
def test_what_waits_for_sockets_counts_for_the_memory_alarm(t):
    """200 consumers without acknowledgements on one connection that does not read: each has a credit of 1 MiB, and what
    is taken out of the queue for them is memory as before."""
    broker = limited(t)
    deaf, publisher = two_clients(t, broker)
    deaf.call(1, "queue.declare", queue="q")
    for _ in range(200):
        deaf.call(1, "basic.consume", queue="q", no_ack=True)
    data = publish_frames(1, "", "q", bytes(100)) * 500
    assert send_until_blocked(publisher, itertools.repeat(data, 400 * MiB // len(data))) is not None
    publisher.read_method("connection.blocked", channel=0)
    check_bound(broker)


def check_flood(t, broker, prepare, data):
    """A client that sends requests without end and reads none of the answers is stopped, at bounded cost; others are
    served meanwhile; when it reads, it gets all of them."""
    owner, other = two_clients(t, broker)
    owner.call(1, "queue.declare", queue="q")
    prepare(owner)
    clients = [t.wire_to(broker), t.wire_to(broker)]   # one on each loop
    before = resident_bytes(broker)
    for client in clients:
        sent = send_until_refused(client, data, 300 * MiB)
        assert sent < 300 * MiB, "requests of 300 MiB were taken though no answer was read"
    check_growth(broker, before, 40 * MiB)
    other.call(1, "queue.declare", queue="mine", exclusive=True)
    other.publish(1, "", "mine", b"m")
    assert other.get(1, "mine").body == b"m"
    return clients


@limit(40)
def test_flood_of_get_on_an_empty_queue(t):
    clients = check_flood(t, t.shuntd(loops=2), lambda owner: None, frames(1, "basic.get", queue="q") * 1000)
    for client in clients:
        for _ in range(20000):
            client.read_method("basic.get-empty")


@limit(40)
def test_flood_of_get_leaves_messages_in_the_queue(t):
    """What a client that does not read takes out of a queue by basic.get has a bound, too."""
    broker = t.shuntd("vm_memory_high_watermark.absolute=2GB", loops=2)
    owner = []

    def prepare(client):
        owner.append(client)
        client.call(1, "confirm.select")
        for _ in range(1000):
            client.publish(1, "", "q", bytes(100000))
        confirmed = 0
        while confirmed < 1000:
            confirmed = client.read_method("basic.ack").delivery_tag
    check_flood(t, broker, prepare, frames(1, "basic.get", queue="q") * 1000)
    left = owner[0].call(1, "queue.declare", queue="q", passive=True).message_count
    # two clients, each with 4 MiB of output, its sockets' buffers and a message that goes over the bound
    assert left > 1000 - 2 * 24 * 10, "%d of 1000 messages are left in the queue" % left


@limit(40)
def test_flood_of_declares(t):
    data = frames(1, "queue.declare", queue="q", arguments={"a": "x" * 40}) * 1000
    for client in check_flood(t, t.shuntd(loops=2), lambda owner: None, data):
        for _ in range(10000):
            client.read_method("queue.declare-ok")


@limit(40)
def test_flood_of_returns(t):
    data = publish_frames(1, "", "nobody", bytes(200), mandatory=True) * 500
    for client in check_flood(t, t.shuntd(loops=2), lambda owner: None, data):
        for _ in range(5000):
            assert client.read_message("basic.return").method.reply_code == 312


@limit(40)
def test_flood_of_large_returns(t):
    """Bodies are not copied for the way back, and count as output all the same."""
    data = publish_frames(1, "amq.fanout", "nobody", bytes(100000), mandatory=True)
    check_flood(t, t.shuntd(loops=2), lambda owner: None, data)


@limit(40)
def test_flood_of_confirms(t):
    data = publish_frames(1, "", "nobody", b"") * 1000

    def read_all(client):
        tag = 0
        while tag < 100000:
            tag = client.read_method("basic.ack").delivery_tag
    broker = t.shuntd(loops=2)
    before = resident_bytes(broker)
    client = t.wire_to(broker)
    client.call(1, "confirm.select")
    # one confirm stands for many publishes, so this one may never be refused
    send_until_refused(client, data, 30 * MiB)
    check_growth(broker, before, 20 * MiB)
    read_all(client)


@limit(40)
def test_flood_on_many_channels(t):
    """The bounds are the connection's, however many channels it has."""
    client_data = b"".join(frames(channel, "basic.get", queue="q") for channel in range(1, 201))
    broker = t.shuntd(loops=2)
    owner, client = two_clients(t, broker)
    owner.call(1, "queue.declare", queue="q")
    for channel in range(2, 201):
        client.open_channel(channel)
    forget_peak(broker)
    before = resident_bytes(broker)
    sent = send_until_refused(client, client_data, 300 * MiB)
    assert sent < 300 * MiB
    check_growth(broker, before, 40 * MiB)
    owner.expect_quiet(1)


@limit(40)
def test_slow_consumer_slows_no_other_connection(t):
    """A publisher and a consumer exchange 20 000 messages while another consumer of the exchange does not read."""
    broker = t.shuntd("vm_memory_high_watermark.absolute=2GB", loops=2)
    consumer, publisher = two_clients(t, broker)
    deaf = t.wire_to(broker)
    for client in (consumer, deaf):
        queue = client.call(1, "queue.declare", exclusive=True).queue
        client.call(1, "queue.bind", queue=queue, exchange="amq.fanout")
        client.call(1, "basic.consume", queue=queue, no_ack=True)

    def send():
        for _ in range(40):
            publisher.send_raw(publish_frames(1, "amq.fanout", "", bytes(1000)) * 500)
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    for _ in range(20000):
        consumer.read_message()
    sender.join(10)
    assert not sender.is_alive()
    wire.Client.expect_quiet(publisher, 1)
