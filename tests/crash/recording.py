# SPDX-License-Identifier: MIT
"""A run of shuntd whose writes are recorded, and what was promised in it: power and torn are made from it."""

import os
import time

import journal
from image import Disk
from restartable import BrokerFailed, Shunt
from world import Load, World

# beside what SIGKILL may lose: settles are synced with the next publish, or after that time
LAZY_SYNC_SECONDS = 0.2


class Recording:
    """It begins on what an earlier run has left: `disk` is that, `entries` are the calls since, all promises are in
    `world`, which must not change any more."""

    def __init__(self, settings, folder, seed, loops, with_definitions=True):
        self.settings, self.folder, self.loops, self.with_definitions = settings, folder, loops, with_definitions
        library = os.path.join(settings.libraries, "journal.so")
        if not os.path.exists(library):
            raise BrokerFailed("there is no %s; make it, or name its folder by --libraries" % library)
        self.broker = Shunt(settings.shuntd, settings.plugins, folder, loops, settings.options)
        self.world = world = World(self.broker.rules, seed)
        world.windows, world.most_messages, world.large_share = (1, 3, 10), 200, 0.02
        self.random = world.random
        self.broker.run()
        world.declare(self.broker)
        self._load(0.15)
        self.disk = Disk(self.broker.data)
        path = os.path.join(folder, "journal")
        self.broker.preload(library, WATCHED_DIRECTORY=os.path.realpath(self.broker.data), JOURNAL_FILE=path)
        self.begin = time.monotonic()
        self.broker.run()
        self.problems = world.check(self.broker, self.moment)
        for names in world.names:
            names.remember()
        self.loaded = time.monotonic()
        self._load(self.random.uniform(0.2, 0.5))
        self.problems += world.ledger.take_problems()
        self.entries = journal.read(path)

    def _load(self, seconds):
        load = Load(self.world, self.broker, self.with_definitions)
        load.run_for(seconds)
        self.moment = load.kill(self.broker)

    @property
    def settle_limit(self):
        """How old an acknowledgement must be to be on disk."""
        return self.moment.settle_limit + LAZY_SYNC_SECONDS

    def try_image(self, folder, moment):
        """Starts a shuntd on folder/data, twice, for the first start must not leave what the second takes for more;
        (problems, the broker, which has ended)."""
        broker = Shunt(self.settings.shuntd, self.settings.plugins, folder, self.loops, self.settings.options)
        broker.keeps = 3 if self.settings.keep else 0
        broker.keep_data()
        try:
            broker.run()
            problems, snapshot = self.world.compare(broker, moment)
            broker.kill()
            broker.run()
            problems += self.world.compare_again(broker, snapshot)
            broker.kill()
        except BrokerFailed as error:
            problems = ["it did not start, or did not live: %s" % error]
        except (OSError, AssertionError) as error:
            problems = ["it does not answer: %r" % error]
        return problems, broker
