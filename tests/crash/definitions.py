# SPDX-License-Identifier: MIT
"""Durable queues, exchanges and bindings that come and go, and what of them must be there after a restart.

An operation whose -ok came has happened as a whole; the one that was under way when the broker ended has happened as a
whole or not at all."""

import time

from lib import wire

import message
from actors import LoadActor
from ledger import Entry, NEVER
from peer import LIMIT_SECONDS


class Names:
    """What is defined: queues with their arguments, exchanges with their types (either None: not known), and bindings,
    whose key is the queue's name."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.all_queues = ["%s.q%d" % (prefix, i) for i in range(5)]
        self.all_exchanges = ["%s.e%d" % (prefix, i) for i in range(3)]
        self.queues, self.exchanges, self.bindings = {}, {}, set()
        self.pending = None   # the operation under way
        self.under_way = []   # several, when the moment in question lies before the end
        self.began = 0.0      # when
        self.history = []     # (began, ended, operation)
        self.first = None     # a copy from before the history

    def state(self):
        return set(self.queues), set(self.exchanges), set(self.bindings)

    def copy(self):
        other = Names(self.prefix)
        other.queues, other.exchanges = dict(self.queues), dict(self.exchanges)
        other.bindings = set(self.bindings)
        return other

    def apply(self, operation):
        kind, *values = operation
        if kind == "declare_queue":
            self.queues.setdefault(values[0], values[1])
        elif kind == "declare_exchange":
            self.exchanges.setdefault(values[0], values[1])
        elif kind == "bind":
            self.bindings.add(tuple(values))
        elif kind == "unbind":
            self.bindings.discard(tuple(values))
        elif kind == "delete_queue":
            del self.queues[values[0]]
            self.bindings = {b for b in self.bindings if b[1] != values[0]}
        elif kind == "delete_exchange":
            del self.exchanges[values[0]]
            self.bindings = {b for b in self.bindings if b[0] != values[0]}

    def begin(self, operation):
        self.pending, self.began = operation, time.monotonic()

    def end(self, now):
        self.history.append((self.began, now, self.pending))
        self.apply(self.pending)
        self.pending = None

    def remember(self):
        """From here on at() is possible."""
        self.first, self.history = self.copy(), []

    def at(self, moment, ended):
        """As it was at that moment; what was begun between then and the end is under way."""
        then = self.first.copy()
        for began, done, operation in self.history + [(self.began, NEVER, self.pending)] * (self.pending is not None):
            if done <= moment:
                then.apply(operation)
            elif began <= ended:
                then.under_way.append(operation)
        return then

    def possible(self):
        """The states that are right now: one, and one more for each operation under way."""
        states = [self]
        for operation in self.under_way or [self.pending] * (self.pending is not None):
            states.append(states[-1].copy())
            states[-1].apply(operation)
        return states

    def check(self, found):
        """The problems of the Names that were found; takes over what was found."""
        problems = []
        if all(found.state() != names.state() for names in self.possible()):
            for what, have, want in zip(("queues", "exchanges", "bindings"), found.state(), self.state()):
                if have != want:
                    problems.append("%s of %s: lost %s, not expected %s (under way: %r)" % (
                        what, self.prefix, sorted(want - have), sorted(have - want), self.under_way or self.pending))
        self.queues, self.exchanges, self.bindings, self.pending = found.queues, found.exchanges, found.bindings, None
        return problems


class Definer(LoadActor):
    """Does one operation after the other."""

    def __init__(self, world, names):
        super().__init__(world)
        self.names = names
        self.publisher, self.counter = world.ledger.new_publisher(), 0
        self.filling = {}   # delivery tag -> entry
        self.tag = 0
        self.purging = []

    def prepare(self, client):
        client.call(self.channel, "confirm.select")

    def on_turn(self):
        if self.names.pending is None and not self.filling and self.may_publish:
            self._do(self._choose())

    def _choose(self):
        names, random = self.names, self.random
        queue, exchange = random.choice(names.all_queues), random.choice(names.all_exchanges)
        if queue not in names.queues:
            return "declare_queue", queue, random.choice(({}, {"x-message-ttl": 3600000}))
        if exchange not in names.exchanges:
            return "declare_exchange", exchange, random.choice(("direct", "topic"))
        kinds = ["unbind" if (exchange, queue) in names.bindings else "bind"] * 4 + ["delete_queue", "delete_exchange",
                                                                                    "fill", "fill", "purge"]
        kind = random.choice(kinds)
        return (kind, exchange, queue) if kind in ("bind", "unbind") else \
            (kind, exchange) if kind == "delete_exchange" else (kind, queue)

    def _do(self, operation):
        kind, *values = operation
        if kind == "fill":
            return self._fill(values[0])
        self.names.begin(operation)
        if kind == "declare_queue":
            self.send("queue.declare", queue=values[0], durable=True, arguments=values[1])
        elif kind == "declare_exchange":
            self.send("exchange.declare", exchange=values[0], type=values[1], durable=True)
        elif kind == "delete_exchange":
            self.send("exchange.delete", exchange=values[0])
        elif kind in ("bind", "unbind"):
            self.send("queue." + kind, exchange=values[0], queue=values[1], routing_key=values[1])
        else:
            self._empty(values[0])
            self.send("queue.purge" if kind == "purge" else "queue.delete", queue=values[0])
        return None

    def _fill(self, queue):
        for _ in range(self.random.randint(1, 3)):
            self.counter += 1
            self.tag += 1
            properties, body = message.build(self.publisher, self.counter, self.random.randrange(300))
            number = message.number_of(self.publisher, self.counter)
            entry = self.ledger.queue(queue)[number] = Entry(time.monotonic())
            self.filling[self.tag] = entry
            self.send("basic.publish", routing_key=queue)
            self.peer.write(wire.encode_frame(wire.HEADER, self.channel,
                                              wire.encode_content_header(len(body), raw=properties)))
            self.peer.write(wire.encode_frame(wire.BODY, self.channel, body))

    def _empty(self, queue):
        self.purging = [e for e in self.ledger.queue(queue).values() if e.acked == NEVER]
        for entry in self.purging:
            entry.acked = time.monotonic()

    def on_answer(self, method):
        now = self.ledger.promised_at()
        if method.name in ("basic.ack", "basic.nack"):
            for tag in [t for t in self.filling if t == method.delivery_tag or (
                    method.multiple and t < method.delivery_tag)]:
                entry = self.filling.pop(tag)
                if method.name == "basic.ack":
                    entry.confirm(now)
            return
        for entry in self.purging:
            if self.names.pending[0] == "delete_queue":
                entry.settled = now
            else:
                entry.ack_sent = now
        self.purging = []
        self.names.end(now)


def observe(broker, names_list):
    """Which of the names are there, and probes published through the exchanges; [Names], problems. The bindings are
    known when the probes have been read: bindings_from_probes()."""
    found_list, problems = [], []
    with wire.Client(broker.host, broker.port, LIMIT_SECONDS) as client:
        client.handshake(user=broker.user, password=broker.password)
        channel = 1
        for names in names_list:
            found = Names(names.prefix)
            states = names.possible()
            for kind, all_names, expected, have in (
                    ("queue", names.all_queues, [state.queues for state in states], found.queues),
                    ("exchange", names.all_exchanges, [state.exchanges for state in states], found.exchanges)):
                for name in all_names:
                    channel += 1
                    if _is_there(client, channel, kind, name):
                        # None: it may be one or the other, or should not be there at all
                        values = [state[name] for state in expected if name in state]
                        have[name] = values[0] if values and all(value == values[0] for value in values) else None
                        wrong = _check_same(client, channel, kind, name, have[name])
                        if wrong:
                            problems += wrong
                            have[name] = None
            found_list.append(found)
        _publish_probes(client, channel + 1, found_list)
    return found_list, problems


def _is_there(client, channel, kind, name):
    client.open_channel(channel)
    client.send(channel, kind + ".declare", passive=True, **{kind: name})
    answer = client.read_method(kind + ".declare-ok", "channel.close", channel=channel)
    if answer.name == "channel.close":
        wire.check_close(answer, 404, None, None)
        client.send(channel, "channel.close-ok")
    return answer.name != "channel.close"


def _check_same(client, channel, kind, name, value):
    """A queue has the arguments, an exchange the type that it was declared with."""
    if value is None:
        return []
    values = {"arguments": value} if kind == "queue" else {"type": value}
    client.send(channel, kind + ".declare", durable=True, **{kind: name}, **values)
    answer = client.read_method(kind + ".declare-ok", "channel.close", channel=channel)
    if answer.name == "channel.close":
        client.send(channel, "channel.close-ok")
        return ["%s %s is not what was declared (%r): %r" % (kind, name, value, answer)]
    return []


def _publish_probes(client, channel, found_list):
    client.open_channel(channel)
    client.call(channel, "confirm.select")
    count = 0
    for found in found_list:
        for exchange in found.exchanges:
            for queue in found.all_queues:
                properties, body = message.build(found.all_exchanges.index(exchange), found.all_queues.index(queue), 0,
                                                 message.PROBE)
                client.publish(channel, exchange, queue, body, raw=properties)
                count += 1
    open_tags = set(range(1, count + 1))
    while open_tags:
        ack = client.read_method("basic.ack", channel=channel)
        open_tags -= set(range(1, ack.delivery_tag + 1)) if ack.multiple else {ack.delivery_tag}


def bindings_from_probes(found_list, probes):
    """Fills in the bindings; returns problems."""
    problems = []
    for found in found_list:
        for queue, number in probes:
            if queue not in found.queues:
                continue
            exchange = found.all_exchanges[number >> message.SHIFT]
            if found.all_queues[number & message.MASK] != queue or (exchange, queue) in found.bindings:
                problems.append("a probe through %s came to %s, which is bound once with another key" % (
                    exchange, queue))
            found.bindings.add((exchange, queue))
    return problems
