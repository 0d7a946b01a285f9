# SPDX-License-Identifier: MIT
"""Reads all that is in the queues, and puts it back: only the marks of redelivery are changed by it."""

import time

import message
from ledger import NEVER, Snapshot
from peer import LIMIT_SECONDS, Actor, Loop, Peer

SILENCE_SECONDS = 0.1   # of a broker that has more to deliver


class Reader(Actor):
    """Takes all of one queue, by a consumer: as many as the broker counts, or until it counts none any more (some
    expire). No basic.get: its answer may overtake deliveries."""

    def __init__(self, queue, snapshot, probes):
        self.queue, self.snapshot, self.probes = queue, snapshot, probes
        self.found = snapshot.queues.setdefault(queue, [])
        self.tags = []             # of self.found
        self.expected = None       # as the broker counts at first
        self.arrived = 0
        self.arrived_before = -1   # when the broker last counted none
        self.quiet_since = NEVER
        self.state = "asks"        # asks, reads, done, missing, closes, closed

    def begin(self):
        self._ask()

    def _ask(self):
        self.state, self.quiet_since = "asks", NEVER
        self.send("queue.declare", queue=self.queue, passive=True)

    def on_method(self, method):
        if method.name == "queue.declare-ok":
            self._on_count(method.message_count)
        elif method.name == "channel.close":
            self.state = "missing"
            self.snapshot.damaged.append("%s: the channel that reads it was closed: %r" % (self.queue, method))
            self.send("channel.close-ok")
        elif method.name == "channel.close-ok":
            self.state = "closed"

    def _on_count(self, count):
        if self.expected is None:
            self.expected = count
            if count:
                self.send("basic.consume", queue=self.queue, consumer_tag="drain")
        # deliveries may still be on their way: fewer than expected are enough only if none came for a while
        if count == 0 and (self.arrived >= self.expected or self.arrived == self.arrived_before):
            self.state = "done"
            self.snapshot.read_until[self.queue] = time.monotonic()
            return
        self.arrived_before = self.arrived if count == 0 else -1
        self.state, self.quiet_since = "reads", time.monotonic()

    def on_turn(self):
        if self.state == "reads" and self.quiet_since + SILENCE_SECONDS < time.monotonic():
            self._ask()

    def on_message(self, tag, redelivered, consumer, properties, body):
        self.arrived += 1
        try:
            number, flags = message.check(properties, body)
            if flags & message.PROBE:
                self.probes.append((self.queue, number))
                self.send("basic.ack", delivery_tag=tag)
            else:
                self.found.append((number, bool(redelivered), self.peer.sent_after))
                self.tags.append(tag)
        except message.Damaged as error:
            self.snapshot.damaged.append("%s: %s" % (self.queue, error))
        if self.state == "reads":
            self.quiet_since = time.monotonic()
            if self.arrived == self.expected:
                self._ask()

    def put_back(self, keeps):
        """Acknowledges what keeps(number) is false for; the rest goes back. Returns the numbers acknowledged."""
        gone = []
        for tag, (number, _, _) in zip(self.tags, self.found):
            if not keeps(number):
                self.send("basic.ack", delivery_tag=tag)
                gone.append(number)
        self.state = "closes"
        self.send("channel.close", reply_code=200, reply_text="")
        return gone


class Drain:
    """One reading of all queues: read() and then put_back()."""

    def __init__(self, broker, queues):
        self.peer = Peer(broker)
        self.snapshot, self.probes = Snapshot(), []
        self.readers = [self.peer.add(Reader(queue, self.snapshot, self.probes)) for queue in queues]
        self.peer.begin()
        self.loop = Loop([self.peer])

    def read(self):
        self._wait(("done", "missing"), "read")
        return self.snapshot

    def _wait(self, states, what):
        if self.loop.run_until(lambda: self.peer.dead or all(r.state in states for r in self.readers), LIMIT_SECONDS) \
                and not self.peer.dead:
            return
        for reader in self.readers:
            if reader.state not in states:
                self.snapshot.damaged.append("%s: could not be %s: %d of %s messages came%s" % (
                    reader.queue, what, reader.arrived, reader.expected, "; the connection broke" * self.peer.dead))

    def put_back(self, keeps=lambda queue, number: True):
        """Returns {queue: numbers acknowledged}."""
        gone = {}
        for reader in self.readers:
            if reader.state == "done":
                gone[reader.queue] = reader.put_back(lambda number, r=reader: keeps(r.queue, number))
        self._wait(("missing", "closed"), "put back")
        self.peer.close()
        return gone
