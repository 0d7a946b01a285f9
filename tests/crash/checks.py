# SPDX-License-Identifier: MIT
"""Scenario checks: the checks of the others find what is wrong. No broker is needed."""

import random
import time

import definitions
import journal
import message
from image import Choice, Directory, File
from ledger import Entry, Ledger, Moment, Snapshot, Transaction
from restartable import Rules


class Story:
    """A small history: two publishers, one queue beside another, one transaction."""

    def __init__(self):
        self.now = time.monotonic()
        self.ledger = Ledger(Rules)
        self.snapshot = Snapshot()
        for counter in range(1, 6):
            self.publish("a", counter).confirm(self.now - 2)
            self.put("a", counter)

    def publish(self, queue, counter, **values):
        entry = Entry(self.now - 3, **values)
        self.ledger.queue(queue)[message.number_of(1, counter)] = entry
        return entry

    def put(self, queue, counter, redelivered=True, sent_after=None):
        self.snapshot.queues.setdefault(queue, []).append(
            (message.number_of(1, counter), redelivered, sent_after or self.now))

    def entry(self, counter):
        return self.ledger.queue("a")[message.number_of(1, counter)]

    def problems(self, **values):
        return self.ledger.check(self.snapshot, Moment(self.now - 1, 0.1, **values))

    def transaction(self, committed=None):
        transaction = Transaction()
        transaction.sent = self.now - 2
        for counter in (10, 11):
            transaction.published.append(("a", message.number_of(1, counter), self.publish("a", counter)))
        transaction.acked.append(("a", message.number_of(1, 2), self.entry(2)))
        self.entry(2).acked = self.now - 1.05
        if committed:
            transaction.committed = committed
            self.entry(2).settled = committed
            for _, _, entry in transaction.published:
                entry.confirm(committed)
        self.ledger.transactions.append(transaction)


def nothing(story):
    """Nothing is wrong."""


def acked_late(story):
    """An acknowledgement just before the end may be lost."""
    story.entry(2).acked = story.entry(2).ack_sent = story.now - 1.05


def unconfirmed_missing(story):
    """What was not confirmed may be missing."""
    story.publish("a", 6)


def expired_while_read(story):
    """What expired after the last message had come, and before the queue was found to be empty, may be missing."""
    story.publish("a", 6, lifetime=3.1).confirm(story.now - 2.5)
    story.snapshot.read_until["a"] = story.now + 0.2


def expired_on_its_way(story):
    """What was sent before it expired may be read long after that."""
    story.publish("a", 6, lifetime=0.1).confirm(story.now - 2.5)
    story.put("a", 6, sent_after=story.now - 2.5)


def lost_before_it_expired(story):
    """is lost"""
    story.publish("a", 6, lifetime=3.1).confirm(story.now - 2.5)
    story.snapshot.read_until["a"] = story.now


def lost(story):
    """is lost"""
    del story.snapshot.queues["a"][1]


def acked_early(story):
    """it was acknowledged"""
    story.entry(2).acked = story.entry(2).ack_sent = story.now - 2


def twice(story):
    """is there twice"""
    story.put("a", 5)


def disorder(story):
    """comes after"""
    found = story.snapshot.queues["a"]
    found.append(found.pop(3))


def unknown(story):
    """never published"""
    story.put("b", 1)


def transient(story):
    """it is transient"""
    story.publish("a", 6, is_transient=True)
    story.put("a", 6)


def expired(story):
    """it had expired"""
    story.publish("a", 6, lifetime=0.1).confirm(story.now - 2.5)
    story.put("a", 6)


def unmarked(story):
    """is not marked redelivered"""
    story.snapshot.queues["a"][0] = (message.number_of(1, 1), False, story.now)


def half_a_transaction(story):
    """of a transaction there are"""
    story.transaction()
    story.put("a", 10)


def acks_without_publishes(story):
    """a transaction acknowledged"""
    story.transaction()
    del story.snapshot.queues["a"][1]


def committed_ack_back(story):
    """was made sure"""
    story.transaction(committed=story.now - 1.5)
    story.put("a", 10)
    story.put("a", 11)


def committed_publish_lost(story):
    """is lost"""
    story.transaction(committed=story.now - 1.5)
    del story.snapshot.queues["a"][1]
    story.put("a", 10)


FINE = (nothing, acked_late, unconfirmed_missing, expired_while_read, expired_on_its_way)
WRONG = (lost, lost_before_it_expired, acked_early, twice, disorder, unknown, transient, expired, unmarked,
         half_a_transaction, acks_without_publishes, committed_ack_back, committed_publish_lost)


def check_damage():
    """A wrong byte anywhere in a message is found."""
    problems = []
    properties, body = message.build(7, 15, 100, message.PERSISTENT, 5000)
    message.check(properties, body)
    for data in (properties, body):
        for position in range(len(data)):
            changed = bytearray(data)
            changed[position] ^= 4
            pair = (bytes(changed), body) if data is properties else (properties, bytes(changed))
            try:
                # another number is a whole other message: that the ledger finds
                if message.check(*pair)[0] == message.number_of(7, 15):
                    problems.append("a change of byte %d is not found" % position)
            except message.Damaged:
                pass
    return problems


def check_torn():
    """What was acknowledged after a log was torn may be gone if there are others, and may not if there are none."""
    problems = []
    for has_other_logs in (False, True):
        story = Story()
        story.entry(2).acked = story.entry(2).ack_sent = story.now - 0.5
        del story.snapshot.queues["a"][1]
        found = story.problems(ended=story.now, is_torn=True, has_other_logs=has_other_logs)
        if bool(found) == has_other_logs:
            problems.append("with%s other logs: %r" % ("" if has_other_logs else "out", found))
    return problems


def check_definitions():
    names, found = definitions.Names("n"), definitions.Names("n")
    names.apply(("declare_queue", "n.q0", {}))
    names.apply(("declare_exchange", "n.e0", "direct"))
    names.apply(("bind", "n.e0", "n.q0"))
    found.queues, found.exchanges = {"n.q0": {}}, {"n.e0": "direct"}
    problems = [] if names.copy().check(found) else ["a lost binding is not found"]
    other = names.copy()
    other.pending = ("unbind", "n.e0", "n.q0")
    return problems + other.check(found)


def _write(begin, data, offset=0):
    return journal.Entry(journal.WRITE, 0, "", "", begin, begin + 0.5, 1, offset, len(data), data)


def check_image():
    """What was synced is there in every image; what was not is there in some; sectors come one by one."""
    file, directory, contents, names = File(), Directory(), set(), set()
    file.pending = [_write(1, b"a" * 1024)]
    file.sync(2)
    file.pending.append(_write(3, b"b" * 1024))
    directory.change((_write(1, b""), "old", file, None))
    directory.sync(2)
    directory.change((_write(3, b""), "old", None, "new"))
    for seed in range(200):
        choice = Choice(random.Random(seed))
        contents.add(bytes(file.possible([], choice)))
        names.add(*directory.possible(choice))
    expected = {x * 512 + y * 512 for x in (b"a", b"b") for y in (b"a", b"b")}
    return [] if contents == expected and names == {"old", "new"} else ["images are %r %r" % (contents, names)]


def run(report, broker, settings):
    for change in FINE:
        story = Story()
        change(story)
        report.add("checks: " + change.__name__, story.problems())
    for change in WRONG:
        story = Story()
        change(story)
        problems = story.problems()
        found = len(problems) == 1 and change.__doc__ in problems[0]
        report.add("checks: " + change.__name__, [] if found else ["one problem expected: %r" % problems])
    for check in (check_damage, check_torn, check_definitions, check_image):
        report.add("checks: " + check.__name__, check())
