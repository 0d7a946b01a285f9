# SPDX-License-Identifier: MIT
"""Scenario faults: calls that write fail, while the broker runs and while it starts (faults.c).

While it runs, it must go on living; everybody gets an answer (nacks and closed channels are answers); what was
confirmed is there after SIGKILL and a start without faults. While it starts, it must serve, or end with status 73."""

import errno
import os
import time

from lib import wire

from ledger import NEVER, Moment
from peer import LIMIT_SECONDS
from restartable import BrokerFailed, UNUSABLE_DIRECTORY
from world import Load, World

SHORT = 0   # a write of half of it

# call, which files, errno
FAULTS = (
    ("write", ".log", errno.EIO), ("write", ".log", errno.ENOSPC), ("write", ".log", SHORT),
    ("sync", ".log", errno.EIO), ("sync", ".log", errno.ENOSPC),
    ("allocate", "", errno.ENOSPC), ("allocate", "", errno.EIO), ("rename", "", errno.EIO),
    ("open", ".log", errno.EIO), ("open", ".log", errno.ENOSPC), ("truncate", "", errno.EIO), ("unlink", "", errno.EIO),
    ("write", "definitions", errno.EIO), ("write", "definitions", errno.ENOSPC), ("write", "definitions", SHORT),
    ("sync", "definitions", errno.EIO), ("any", "", errno.EIO), ("any", "", errno.ENOSPC))

# the fault, and whether all calls after it fail, too
START_FAULTS = ((("any", "", errno.EIO), False), (("any", "", errno.ENOSPC), True), (("write", "", SHORT), False))


class Fault:
    """One fault of a run: preloads it, and knows whether it was reached."""

    def __init__(self, settings, broker, fault, number, is_forever, at_start):
        call, name, error = fault
        self.broker, self.number = broker, number
        self.text = "%s %d %s%s: %s" % (call, number, "and all after it" if is_forever else "", name and " of " + name,
                                        errno.errorcode.get(error, "short"))
        self.trigger, self.hit = (os.path.join(broker.directory, name) for name in ("trigger", "hit"))
        for path in (self.trigger, self.hit):
            if os.path.exists(path):
                os.unlink(path)
        library = os.path.join(settings.libraries, "faults.so")
        if not os.path.exists(library):
            raise BrokerFailed("there is no %s; make it, or name its folder by --libraries" % library)
        values = {"WATCHED_DIRECTORY": os.path.realpath(broker.data), "FAULT_CALL": call, "FAULT_NTH": number,
                  "FAULT_ERRNO": error, "FAULT_MODE": "forever" if is_forever else "once", "FAULT_HIT": self.hit}
        if name:
            values["FAULT_NAME"] = name
        if not at_start:
            values["FAULT_TRIGGER"] = self.trigger
        broker.preload(library, **values)

    def begin(self):
        with open(self.trigger, "w", encoding="ascii"):
            pass

    def was_hit(self):
        return os.path.exists(self.hit)


def run_with(world, broker, fault, seconds):
    """A load with the fault, SIGKILL, and a start without it; returns the problems."""
    broker.run()
    load = Load(world, broker)
    # channels that fail give back what was acknowledged on them and not yet read, or not committed
    world.ledger.may_deliver_again = True
    load.run_for(0.02)
    fault.begin()
    load.run_for(seconds)
    if not load.run_quiet(LIMIT_SECONDS):
        for text in unanswered(load):
            world.ledger.problem("no answer within %d s: %s" % (LIMIT_SECONDS, text))
    for peer in load.peers:
        if peer.dead and peer.closed_by_broker is None:
            world.ledger.problem("a connection broke without connection.close")
    ask(world, broker)
    moment = load.kill(broker)
    return finish(world, broker, moment)


def finish(world, broker, moment):
    """A start without faults, the check, and a clean stop. What could not be written of acknowledgements may come
    back; of those of the check nothing, after the stop."""
    broker.preload(None)
    broker.run()
    problems = world.check(broker, Moment(moment.time, NEVER, ended=moment.ended))
    broker.tell_to_end()
    broker.wait_end()
    return problems


def unanswered(load):
    for publisher in load.publishers:
        if publisher.open and not publisher.is_over:
            yield "%d publishes, blocked: %s" % (len(publisher.open), publisher.peer.is_blocked)
    for definer in load.definers:
        if not definer.is_over and (definer.names.pending or definer.filling):
            yield "%r" % (definer.names.pending or "publishes to a new queue",)
    for peer in load.peers:
        for actor in peer.actors.values():
            if getattr(actor, "waits", False) and not actor.is_over:
                yield "a transaction"


def ask(world, broker):
    """A new connection is answered."""
    try:
        with wire.Client(broker.host, broker.port, limit=LIMIT_SECONDS) as client:
            client.handshake(user=broker.user, password=broker.password).open_channel()
            client.call(1, "queue.declare", queue="q0", passive=True)
    except (OSError, wire.Closed, AssertionError) as error:
        world.ledger.problem("a new connection is not answered: %r" % error)


def start_with(world, broker, moment):
    """A start with the fault, SIGKILL if it serves, and a start without; returns the problems, and what it did."""
    try:
        broker.run()
        result = "served"
        broker.kill()
    except BrokerFailed as error:
        status = broker.process.returncode
        result = "ended with status %s" % status
        if status != UNUSABLE_DIRECTORY:
            world.ledger.problem("%s: %s" % (result, error))
    # the messages it recovered, and no client since
    return finish(world, broker, moment), result


def run(report, broker, settings):
    world = World(broker.rules, "%s faults" % settings.seed)
    world.tolerates_errors, world.large_share, world.most_messages = True, 0.05, 300
    world.windows = (1, 10, 50)
    broker.run()
    world.declare(broker)
    load = Load(world, broker)
    load.run_for(0.2)
    moment = load.kill(broker)
    report.add("faults: a run without", finish(world, broker, moment), broker)
    while_running(report, world, broker, settings)
    while_starting(report, world, broker, settings)


def while_running(report, world, broker, settings):
    hits, count, chance = 0, 0, world.random
    for _ in range(20 if settings.long else 2):
        for chosen in FAULTS:
            number = chance.choice((1, 1, 2, 3, 4, 6, 9, 15, 25, 60))
            fault = Fault(settings, broker, chosen, number, chance.random() < 0.4, False)
            broker.loops = chance.randint(1, 3)
            problems = run_with(world, broker, fault, chance.uniform(0.1, 0.3))
            hits += fault.was_hit()
            count += 1
            name = "faults: running, %s%s" % (fault.text, "" if fault.was_hit() else " (not reached)")
            report.add(name, problems, broker)
            if report.count_failed > settings.most_failures:
                return
    print("faults: %d of %d faults were reached while it ran" % (hits, count))
    report.add("faults: they were reached", [] if hits > count / 3 else ["only %d of %d" % (hits, count)])


def while_starting(report, world, broker, settings):
    count, chance = 0, world.random
    for chosen, is_forever in START_FAULTS:
        number, step = 1, 1
        while True:
            # a load before it, so that there is something to do for the start
            broker.run()
            load = Load(world, broker)
            load.run_for(0.05)
            moment = load.kill(broker)
            fault = Fault(settings, broker, chosen, number, is_forever, True)
            problems, result = start_with(world, broker, moment)
            report.add("faults: starting, %s: %s" % (fault.text, result), problems, broker)
            if not fault.was_hit() or report.count_failed > settings.most_failures:
                break
            count += 1
            # in the short mode some are skipped; never the first ones
            step = 1 if settings.long or number < 10 else chance.randint(1, 5)
            number += step
    print("faults: %d faults were reached while it started" % count)
    report.add("faults: they were reached while it started", [] if count else ["none"])
