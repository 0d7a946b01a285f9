# SPDX-License-Identifier: MIT
"""Scenario kill: SIGKILL at random moments under load, again and again on one directory."""

import time

from peer import LIMIT_SECONDS
from restartable import BrokerFailed
from world import Load, World


class Plan:
    """What one cycle does, all of it from the seed."""

    def __init__(self, random, kills=True):
        luck = random.random()
        self.end = "stop" if luck < 0.1 else "quiet" if luck < 0.2 else "idle" if luck < 0.25 else "kill"
        self.seconds = random.uniform(0.005, 0.3)
        if random.random() < 0.1:
            self.seconds += 0.6     # so that acknowledgements are old enough to be sure
        self.loops = random.randint(1, 4) if random.random() < 0.25 else None
        # the start after it is killed, too, so often, after so long
        self.starts = [random.uniform(0, 0.08) for _ in range(2) if random.random() < 0.12]
        self.acknowledges = random.random() < 0.8
        if not kills:
            self.end, self.loops, self.starts = "live", None, []

    def __str__(self):
        return "%s after %.0f ms%s%s" % (self.end, 1000 * self.seconds, ", loops=%d" % self.loops if self.loops else "",
                                         "".join(", start killed after %.0f ms" % (1000 * s) for s in self.starts))


def cycle(world, broker, plan):
    """From a running broker to a running one; returns (problems, kills)."""
    world.acknowledges = plan.acknowledges
    load = Load(world, broker, with_definitions=plan.end != "idle")
    if plan.end == "live":
        load.run_for(plan.seconds)
        _run_quiet(world, load)
        return world.check(broker, load.leave()), 0
    moment = _end(world, broker, plan, load)
    kills = not moment.is_clean
    if world.ledger.rules.has_loops:
        broker.loops = plan.loops or broker.loops
        for seconds in plan.starts:
            broker.kill_start(seconds)
            kills += 1
            moment.is_uncertain = moment.is_clean
    broker.run()
    return world.check(broker, moment), kills


def _run_quiet(world, load):
    if not load.run_quiet(LIMIT_SECONDS):
        world.ledger.problem("publishes, commits or declarations without an answer after %d s" % LIMIT_SECONDS)


def _end(world, broker, plan, load):
    if plan.end == "idle":
        # right after the messages of the last check were put back
        world.goes_on = False
        return load.kill(broker)
    load.run_for(plan.seconds)
    if plan.end == "quiet":
        _run_quiet(world, load)
        # so long that the acknowledgements of this run are sure, too
        limit = load.settle_limit(time.monotonic())
        load.run_for(limit + 0.05 if limit < 2 else 0.1)
    return load.stop(broker) if plan.end == "stop" else load.kill(broker)


def run(report, broker, settings):
    world = World(broker.rules, "%s kill" % settings.seed)
    broker.run()
    world.declare(broker)
    kills, number, failed, begin = 0, 0, 0, time.monotonic()
    seconds = settings.seconds or float("inf")
    while (number if settings.self_check else kills) < settings.kills and time.monotonic() < begin + seconds:
        number += 1
        plan = Plan(world.random, not settings.self_check)
        try:
            problems, more = cycle(world, broker, plan)
        except BrokerFailed as error:
            report.failed("kill %d: %s" % (number, plan), [str(error)], broker)
            return
        kills += more
        failed += bool(problems)
        report.add("kill %d: %s (%d messages)" % (number, plan, world.ledger.messages()), problems, broker)
        if failed >= settings.most_failures:
            break
    print("kill: %d kills, %d restarts, %d messages" % (kills, number, world.ledger.checked))
