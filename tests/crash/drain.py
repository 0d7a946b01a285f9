# SPDX-License-Identifier: MIT
"""Reads all that is in the queues, and puts it back: only the marks of redelivery are changed by it."""

import time

import message
from ledger import NEVER, Snapshot
from peer import Actor, Loop, Peer

LIMIT_SECONDS = 20
SILENCE_SECONDS = 0.2   # of a broker that has more to deliver


class Reader(Actor):
    """Takes all of one queue: by a consumer, as many as the broker counts or until no more come; then basic.get says
    that it is empty. Not both at once, for the answer to basic.get may overtake deliveries."""

    def __init__(self, queue, snapshot, probes):
        self.queue, self.snapshot, self.probes = queue, snapshot, probes
        self.found = snapshot.queues.setdefault(queue, [])
        self.tags = []       # of self.found
        self.expected = 0    # as the broker counts; some may have expired
        self.arrived = 0
        self.last_arrival = NEVER
        self.state = "asks"  # asks, reads, gets, done, missing, closes, closed

    def begin(self):
        self.send("queue.declare", queue=self.queue, passive=True)

    def on_method(self, method):
        if method.name == "queue.declare-ok":
            self.expected = method.message_count
            if self.expected:
                self.state, self.last_arrival = "reads", time.monotonic()
                self.send("basic.consume", queue=self.queue, consumer_tag="drain")
            else:
                self._get()
        elif method.name == "basic.get-empty":
            self.state = "done"
        elif method.name == "channel.close":
            self.state = "missing"
            self.snapshot.damaged.append("%s: the channel that reads it was closed: %r" % (self.queue, method))
            self.send("channel.close-ok")
        elif method.name == "channel.close-ok":
            self.state = "closed"

    def _get(self):
        self.state = "gets"
        self.send("basic.get", queue=self.queue)

    def on_turn(self):
        # fewer may come than were counted: some expire
        if self.state == "reads" and self.last_arrival + SILENCE_SECONDS < time.monotonic():
            self._get()

    def on_message(self, tag, redelivered, consumer, properties, body):
        self.arrived += 1
        try:
            number, flags = message.check(properties, body)
            if flags & message.PROBE:
                self.probes.append((self.queue, number))
                self.send("basic.ack", delivery_tag=tag)
            else:
                self.found.append((number, bool(redelivered), time.monotonic()))
                self.tags.append(tag)
        except message.Damaged as error:
            self.snapshot.damaged.append("%s: %s" % (self.queue, error))
        self.last_arrival = time.monotonic()
        if consumer is None or (self.state == "reads" and self.arrived >= self.expected):
            self._get()

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
                self.snapshot.damaged.append("%s: could not be %s: %d of %d messages came%s" % (
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
