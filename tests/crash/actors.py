# SPDX-License-Identifier: MIT
"""The load: publishers with confirms, consumers that acknowledge in every way, transactions. Each is one channel."""

import itertools
import time

from lib import codec

import message
from ledger import NEVER, Entry, Transaction
from peer import Actor, publish_frames

TTL_QUEUE, TTL_SECONDS = "ttl", 4.0
PULSE_SECONDS = 0.005
TAKEN_QUEUE = "taken"    # what its consumers get needs no acknowledgement
QUEUES = ("q0", "q1", "q2", "q3", "f0", "f1", "f2", "t0", "t1", TTL_QUEUE, TAKEN_QUEUE)

# exchange, routing key, the queues it reaches
TARGETS = (
    ("", "q0", ("q0",)), ("", "q1", ("q1",)), ("", "q2", ("q2",)), ("", "q3", ("q3",)), ("", TTL_QUEUE, (TTL_QUEUE,)),
    ("", TAKEN_QUEUE, (TAKEN_QUEUE,)),
    ("fan", "", ("f0", "f1", "f2")), ("over", "", ("f0", "f1", "f2")), ("other", "nowhere", ("f0", "f1", "f2")),
    ("top", "a.b", ("t0", "t1")), ("top", "a.x", ("t0",)), ("top", "z.b", ("t1",)), ("top", "a.x.c", ("t0", "q3")),
)
# what a transaction publishes must not go by itself
TX_TARGETS = tuple(target for target in TARGETS if target[1] not in (TTL_QUEUE, TAKEN_QUEUE))
TX_QUEUES = tuple(queue for queue in QUEUES if queue not in (TTL_QUEUE, TAKEN_QUEUE))


def declare_all(client, channel=1):
    """The queues and exchanges of the load; all of them durable. "fan" is also reached through "over", which is bound
    to it, and as the alternate exchange of "other"."""
    for queue in QUEUES:
        arguments = {"x-message-ttl": int(1000 * TTL_SECONDS)} if queue == TTL_QUEUE else {}
        client.call(channel, "queue.declare", queue=queue, durable=True, arguments=arguments)
    client.call(channel, "exchange.declare", exchange="fan", type="fanout", durable=True)
    client.call(channel, "exchange.declare", exchange="top", type="topic", durable=True)
    client.call(channel, "exchange.declare", exchange="over", type="fanout", durable=True)
    client.call(channel, "exchange.declare", exchange="other", type="direct", durable=True,
                arguments={"alternate-exchange": "fan"})
    client.call(channel, "exchange.bind", destination="fan", source="over")
    for queue, exchange, key in (("f0", "fan", ""), ("f1", "fan", ""), ("f2", "fan", ""),
                                 ("t0", "top", "a.#"), ("t1", "top", "*.b"), ("q3", "top", "#.c")):
        client.call(channel, "queue.bind", queue=queue, exchange=exchange, routing_key=key)


class LoadActor(Actor):
    """`world` has the ledger, the random numbers, and whether the load is to go on."""

    def __init__(self, world):
        self.world, self.ledger, self.random = world, world.ledger, world.random
        self.closed = None   # the channel.close that came

    def on_method(self, method):
        if method.name == "channel.close":
            self.closed = method
            self.send("channel.close-ok")
            if not self.world.tolerates_errors:
                self.ledger.problem("the broker closed a channel: %r" % method)
        else:
            self.on_answer(method)

    def on_answer(self, method):
        """A method of the broker's that is no channel.close."""

    @property
    def is_over(self):
        """Nothing more can come of it: the channel or the connection is closed."""
        return self.closed is not None or self.peer.dead or self.peer.closed_by_broker is not None

    @property
    def may_publish(self):
        return self.world.goes_on and not self.is_over and not self.peer.is_blocked


class Maker:
    """Makes the messages of one publisher."""

    def __init__(self, actor):
        self.actor, self.publisher, self.counter = actor, actor.ledger.new_publisher(), 0
        self.heads = {}

    def _size(self, random):
        luck = random.random()
        if luck < self.actor.world.large_share:
            return random.randrange(20 << 10, 200 << 10)
        return random.randrange(2000, 9000) if luck > 0.95 else random.randrange(0, 400)

    def publish(self, target, in_transaction=False):
        """Writes one message; returns [(queue, number, Entry)]."""
        actor, random = self.actor, self.actor.random
        exchange, key, queues = target
        is_transient = not in_transaction and random.random() < 0.05
        expiration = 0
        if not in_transaction and random.random() < 0.04:
            expiration = random.choice((300, 1500, 5000, 60000))
        self.counter += 1
        properties, body = message.build(self.publisher, self.counter, self._size(random),
                                         0 if is_transient else message.PERSISTENT, expiration)
        number, now, entries = message.number_of(self.publisher, self.counter), time.monotonic(), []
        for queue in queues:
            lifetime = min(expiration / 1000 or NEVER, TTL_SECONDS if queue == TTL_QUEUE else NEVER)
            entry = Entry(NEVER if in_transaction else now, is_transient, lifetime if lifetime < NEVER else None)
            self.actor.ledger.queue(queue)[number] = entry
            entries.append((queue, number, entry))
        head = self.heads.get(target)
        if head is None:
            head = self.heads[target] = codec.encode_method("basic.publish", exchange=exchange, routing_key=key)
        actor.peer.write(publish_frames(actor.channel, head, properties, body, actor.peer.client.frame_max))
        return entries


class Publisher(LoadActor):
    """Publishes with confirms, up to a window of open ones."""

    def __init__(self, world, window):
        super().__init__(world)
        self.window = window
        self.maker = Maker(self)
        self.open = {}       # delivery tag -> (time, entries)
        self.tag = 0
        self.lowest = 1      # the smallest tag that may be open
        self.nacked = 0

    def prepare(self, client):
        client.call(self.channel, "confirm.select")

    def on_turn(self):
        if not self.may_publish:
            return
        room = min(self.window - len(self.open), 60)
        if room <= 0 or self.peer.has_output:
            return
        now = time.monotonic()
        for _ in range(self.random.randint(1, room)):
            self.tag += 1
            self.open[self.tag] = now, self.maker.publish(self.random.choice(TARGETS))

    def on_answer(self, method):
        if method.name == "basic.ack":
            self._settle(method, self.ledger.promised_at())
        elif method.name == "basic.nack":
            self.nacked += 1
            self._settle(method, None)
            if not self.world.tolerates_errors:
                self.ledger.problem("a publish was nacked")

    def _settle(self, method, now):
        tags = range(self.lowest, method.delivery_tag + 1) if method.multiple else (method.delivery_tag,)
        for tag in tags:
            found = self.open.pop(tag, None)
            if found is None:
                if not method.multiple:
                    self.ledger.problem("a confirm for tag %d, which is not open" % tag)
                continue
            if now is not None:
                self.ledger.note_wait(now - found[0])
                for _, _, entry in found[1]:
                    entry.confirm(now)
        if method.multiple:
            self.lowest = method.delivery_tag + 1

    def oldest_open(self):
        """When the oldest publish without a confirm was sent; NEVER if there is none."""
        return min((sent for sent, _ in self.open.values()), default=NEVER)


class Consumer(LoadActor):
    """Takes from some queues, by consumers and basic.get, and acknowledges in all ways; leaves some."""

    def __init__(self, world, queues, prefetch, gets):
        super().__init__(world)
        self.queues, self.prefetch, self.gets = queues, prefetch, gets
        self.unacked = {}     # delivery tag -> (queue, number, Entry)
        self.batch = 1
        self.waits_for_get = None
        self.unflushed = []   # entries acknowledged since the last flush

    def prepare(self, client):
        client.call(self.channel, "basic.qos", prefetch_count=self.prefetch)
        self.ledger.touched.update(self.queues)

    def begin(self):
        for queue in self.queues:
            if queue != self.gets:
                self.send("basic.consume", queue=queue, consumer_tag=queue)

    def on_turn(self):
        if self.gets and self.waits_for_get is None and self.world.goes_on and not self.is_over:
            self.waits_for_get = self.gets
            self.send("basic.get", queue=self.gets)

    def on_answer(self, method):
        if method.name == "basic.get-empty":
            self.waits_for_get = None
        elif method.name == "basic.cancel" and not self.world.tolerates_errors:
            self.ledger.problem("the broker cancelled the consumer of %s" % method.consumer_tag)

    def on_message(self, tag, redelivered, consumer, properties, body):
        queue = consumer.decode() if consumer is not None else self.waits_for_get
        if consumer is None:
            self.waits_for_get = None
        try:
            number, _ = message.check(properties, body)
        except message.Damaged as error:
            self.ledger.problem("%s: %s" % (queue, error))
            return
        entry = self.ledger.delivered(queue, number, self.peer.sent_after)
        if entry is not None:
            self.unacked[tag] = queue, number, entry
        if len(self.unacked) >= self.batch and self.world.acknowledges:
            self._act()
            self.batch = min(self.random.choice((1, 1, 5, 20, 60)), self.prefetch)

    def _act(self):
        tags = sorted(self.unacked)
        luck = self.random.random()
        if luck < 0.45:      # all up to one
            last = self.random.choice(tags)
            self._settle("basic.ack", [tag for tag in tags if tag <= last], delivery_tag=last, multiple=True)
        elif luck < 0.85:    # some, one by one, in any order
            for tag in self.random.sample(tags, self.random.randint(1, len(tags))):
                self._settle("basic.ack", [tag], delivery_tag=tag)
        elif luck < 0.95:    # back to the queue, or thrown away
            tag = self.random.choice(tags)
            requeue = self.random.random() < 0.8
            self._settle("basic.nack", [tag], requeue, delivery_tag=tag, requeue=requeue)
        elif len(tags) < self.prefetch:
            return           # left as they are for now
        else:
            self._settle("basic.nack", tags, True, delivery_tag=tags[-1], multiple=True, requeue=True)

    def _settle(self, name, tags, goes_back=False, **values):
        for tag in tags:
            _, _, entry = self.unacked.pop(tag)
            if not goes_back:
                entry.acked = time.monotonic()
                self.unflushed.append(entry)
        self.send(name, **values)

    def on_flushed(self, now):
        for entry in self.unflushed:
            entry.ack_sent = now
        self.unflushed = []


class Taker(LoadActor):
    """Consumes without acknowledgements: what was sent to it is gone, whether it arrived or not."""

    def prepare(self, client):
        self.ledger.touched.add(TAKEN_QUEUE)
        self.ledger.leaking.add(TAKEN_QUEUE)

    def begin(self):
        self.send("basic.consume", queue=TAKEN_QUEUE, consumer_tag="taker", no_ack=True)

    def on_message(self, tag, redelivered, consumer, properties, body):
        try:
            number, _ = message.check(properties, body)
        except message.Damaged as error:
            self.ledger.problem("%s: %s" % (TAKEN_QUEUE, error))
            return
        entry = self.ledger.delivered(TAKEN_QUEUE, number, self.peer.sent_after)
        if entry is not None:
            entry.acked = entry.ack_sent = time.monotonic()


class Pulse(LoadActor):
    """Asks one queue after the other for its count, all the time, also while nothing else is asked. For as long as the
    broker lets it wait, whatever it does by the clock may be late."""

    def __init__(self, world):
        super().__init__(world)
        self.queues = itertools.cycle(QUEUES)
        self.asked = self.answered = None   # when

    def on_turn(self):
        now = time.monotonic()
        if self.asked is None and not self.is_over and (self.answered is None or now > self.answered + PULSE_SECONDS):
            self.asked = now
            self.send("queue.declare", queue=next(self.queues), passive=True)

    def on_answer(self, method):
        if method.name == "queue.declare-ok":
            self.answered = self.ledger.promised_at()
            self.ledger.note_wait(self.answered - self.asked)
            self.asked = None

    def waits_since(self):
        """NEVER if it waits for nothing."""
        return NEVER if self.asked is None or self.is_over else self.asked


class Transactor(LoadActor):
    """Publishes and acknowledges in transactions; some are rolled back."""

    def __init__(self, world, takes):
        super().__init__(world)
        self.takes = takes    # the queue that it consumes from
        self.maker = Maker(self)
        self.unacked = {}
        self.transaction = None
        self.waits = False

    def prepare(self, client):
        client.call(self.channel, "tx.select")
        client.call(self.channel, "basic.qos", prefetch_count=40)
        self.ledger.touched.add(self.takes)

    def begin(self):
        self.send("basic.consume", queue=self.takes, consumer_tag=self.takes)

    def on_message(self, tag, redelivered, consumer, properties, body):
        try:
            number, _ = message.check(properties, body)
        except message.Damaged as error:
            self.ledger.problem("%s: %s" % (self.takes, error))
            return
        entry = self.ledger.delivered(self.takes, number, self.peer.sent_after)
        if entry is not None:
            self.unacked[tag] = self.takes, number, entry

    def on_turn(self):
        if self.waits or not self.may_publish or self.peer.has_output:
            return
        transaction = self.transaction = Transaction()
        targets = self.random.sample(TX_TARGETS, self.random.randint(1, 3))
        for _ in range(self.random.randint(1, 20)):
            transaction.published += self.maker.publish(self.random.choice(targets), in_transaction=True)
        if self.random.random() < 0.15:
            self.send("tx.rollback")
        else:
            for tag in list(self.unacked)[:self.random.randint(0, 20)]:
                transaction.acked.append(self.unacked.pop(tag))
                self.send("basic.ack", delivery_tag=tag)
            self._commit(transaction)
        self.waits = True

    def _commit(self, transaction):
        transaction.sent = time.monotonic()
        for _, _, entry in transaction.published:
            entry.sent = transaction.sent
        for _, _, entry in transaction.acked:
            entry.acked = transaction.sent
        self.ledger.transactions.append(transaction)
        self.send("tx.commit")

    def on_answer(self, method):
        if method.name == "tx.commit-ok":
            now = self.transaction.committed = self.ledger.promised_at()
            for _, _, entry in self.transaction.published:
                entry.confirm(now)
            if self.ledger.rules.tx_acks_are_sure:
                for _, _, entry in self.transaction.acked:
                    entry.settled = now
            self.waits = False
        elif method.name == "tx.rollback-ok":
            self.waits = False
