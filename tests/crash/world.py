# SPDX-License-Identifier: MIT
"""One history of a broker: what it was told, its ends, and the checks after each of them."""

import random
import time

from lib import wire

import actors
import definitions
from drain import Drain
from ledger import Ledger, Moment
from message import name_of
from peer import LIMIT_SECONDS, Loop, Peer

CLIENT_DELAY = 0.05   # seconds that a loaded machine may take to run us or the broker


class World:
    """The ledger, the definitions and the random numbers; the same over many restarts."""

    def __init__(self, rules, seed):
        self.ledger = Ledger(rules)
        self.random = random.Random(seed)
        self.names = [definitions.Names("d0"), definitions.Names("d1")]
        self.goes_on = True           # publishers and the like begin new things
        self.acknowledges = True
        self.tolerates_errors = False
        self.large_share = 0.01       # of bodies of 20 KiB and more
        self.most_messages = 3000     # more are thinned out after a check
        self.windows = (1, 10, 100, 300)   # of the publishers, to choose from

    def declare(self, broker):
        with wire.Client(broker.host, broker.port, LIMIT_SECONDS) as client:
            client.handshake(user=broker.user, password=broker.password).open_channel()
            actors.declare_all(client)
            client.close()

    # -- the check after a start

    def look(self, broker, names_list):
        """What the broker has: (Snapshot, [Names], problems, the Drain, which still holds the messages)."""
        found, problems = definitions.observe(broker, names_list)
        queues = list(actors.QUEUES) + [queue for names in found for queue in names.queues]
        drain = Drain(broker, queues)
        snapshot = drain.read()
        problems += definitions.bindings_from_probes(found, drain.probes)
        return snapshot, found, problems, drain

    def check(self, broker, moment):
        """All problems since the load began; goes on with what is there."""
        snapshot, found, problems, drain = self.look(broker, self.names)
        for names, there in zip(self.names, found):
            problems += names.check(there)
        if not moment.is_clean and not self.ledger.rules.keeps_definitions:
            problems = []
        problems += self.ledger.take_problems() + self.ledger.check(snapshot, moment)
        self.ledger.carry_over(snapshot, moment)
        self._put_back(drain)
        return problems

    def compare(self, broker, moment):
        """The problems of a broker whose data is that of a moment in the past, and what it has; the ledger stays as it
        is."""
        names_then = [names.at(moment.time, moment.ended) for names in self.names]
        snapshot, found, problems, drain = self.look(broker, names_then)
        drain.peer.close()
        problems += self.ledger.check(snapshot, moment)
        for names, there in zip(names_then, found):
            problems += names.check(there)
        return problems, snapshot

    def compare_again(self, broker, snapshot):
        """After another end in which nothing was done: what it has now and did not have before, or the other way."""
        problems = []
        drain = Drain(broker, snapshot.queues)
        now = drain.read()
        drain.peer.close()
        for queue, found in snapshot.queues.items():
            before, after = ({number for number, _, _ in messages} for messages in (found, now.queues[queue]))
            for number in sorted(before ^ after):
                entry = self.ledger.entries.get(queue, {}).get(number)
                if number in after or not (entry and entry.expires):
                    problems.append("%s: %s %s after the first start, and %s after the second" % (
                        queue, name_of(number), *("is there", "not")[::-1 if number in after else 1]))
        return now.damaged + problems

    def _put_back(self, drain):
        """Thins out long queues, with holes all over."""
        share = min(1.0, self.most_messages / max(1, self.ledger.messages()))
        thin = share < 1
        begin = time.monotonic()
        gone = drain.put_back(lambda queue, number: not thin or self.random.random() < 0.3 * share)
        now = time.monotonic()
        for queue, numbers in gone.items():
            for number in numbers:
                entry = self.ledger.queue(queue)[number]
                entry.acked, entry.ack_sent = begin, now


class Load:
    """Connections and their actors, for one run of the broker."""

    def __init__(self, world, broker, with_definitions=True):
        self.world = world
        world.goes_on = True
        chance = world.random
        self.publishers, self.definers = [], []
        self.peers = [self._wait_for(Peer, broker) for _ in range(chance.randint(2, 5))]
        for _ in range(chance.randint(1, 4)):
            self.publishers.append(self._add(actors.Publisher(world, chance.choice(world.windows))))
        queues = chance.sample(actors.QUEUES[:-1], chance.randint(2, 8))
        while queues:
            some, queues = queues[:3], queues[3:]
            gets = some[0] if chance.random() < 0.3 else None
            self._add(actors.Consumer(world, some, chance.choice((3, 30, 200)), gets))
        if chance.random() < 0.3:
            self._add(actors.Taker(world))
        for _ in range(chance.randint(0, 2)):
            self._add(actors.Transactor(world, chance.choice(actors.TX_QUEUES)))
        self.pulse = self._add(actors.Pulse(world))
        if with_definitions:
            self.definers = [self._add(definitions.Definer(world, names)) for names in world.names]
        self.loop = Loop(self.peers)
        for peer in self.peers:
            peer.begin()

    def _add(self, actor):
        return self._wait_for(self.world.random.choice(self.peers).add, actor)

    def _wait_for(self, ask, *arguments):
        begin = time.monotonic()
        answer = ask(*arguments)
        self.world.ledger.note_wait(time.monotonic() - begin)
        return answer

    def run_for(self, seconds):
        self.loop.run_for(seconds)

    def run_quiet(self, limit):
        """Nothing new is published; true once all that was published is confirmed or nacked."""
        self.world.goes_on = False
        return self.loop.run_until(self.is_answered, limit)

    def is_answered(self):
        return all(p.is_over or not p.open for p in self.publishers) \
            and all(d.is_over or (d.names.pending is None and not d.filling) for d in self.definers) \
            and all(not a.waits or a.is_over for peer in self.peers for a in peer.actors.values()
                    if isinstance(a, actors.Transactor))

    def settle_limit(self, moment):
        """How long before the end an acknowledgement may have been sent and still be lost.

        Beside what is promised, it waits where publishes wait: for the loop to read it, for the sync under way. How
        long that took in this run is what confirms and other answers took, those that did not come included; twice, for
        it may wait for both."""
        waits = [moment - publisher.oldest_open() for publisher in self.publishers if publisher.open]
        waits.append(moment - self.pulse.waits_since())
        return self.world.ledger.rules.settle_limit + CLIENT_DELAY + 2 * max([self.world.ledger.longest_wait, *waits])

    def leave(self):
        """Closes the connections in order and leaves the broker alone; returns the Moment."""
        self.world.acknowledges = False
        for peer in self.peers:
            peer.write(wire.encode_frame(wire.METHOD, 0, wire.encode_method("connection.close")))
        if not self.loop.run_until(lambda: all(peer.dead for peer in self.peers), LIMIT_SECONDS):
            self.world.ledger.problem("a connection was not closed within %d s" % LIMIT_SECONDS)
        self.loop.finish()
        return Moment(time.monotonic(), 0, is_clean=True, is_alive=True)

    def kill(self, broker):
        """SIGKILL; returns the Moment."""
        for peer in self.peers:
            peer.flush()
        time_ = self.world.ledger.ended = broker.kill()
        limit = self.settle_limit(time_)
        self.loop.finish()
        return Moment(time_, limit, ended=time.monotonic())

    def stop(self, broker):
        """SIGTERM, to which the clients answer as clients do; returns the Moment."""
        begin = time.monotonic()
        # it closes one connection after the other, and does not read on from those
        self.world.ledger.may_deliver_again = True
        broker.tell_to_end()
        if not self.loop.run_until(lambda: all(peer.dead for peer in self.peers), LIMIT_SECONDS):
            self.world.ledger.problem("a connection was not closed within %d s of SIGTERM" % LIMIT_SECONDS)
        limit = self.settle_limit(begin)
        broker.wait_end()
        self.loop.finish()
        # the stop itself takes time: confirms still leave, acknowledgements are not read any more
        now = time.monotonic()
        return Moment(now, limit + now - begin, is_clean=True)
