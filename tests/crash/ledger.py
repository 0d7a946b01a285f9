# SPDX-License-Identifier: MIT
"""What was promised to whom, and whether a broker that came back keeps it.

Each message in each queue has an Entry with the times (CLOCK_MONOTONIC, in seconds) at which we learnt or did things. A
check looks at what a broker has now, for a moment in the past at which it (or the power) ended: what had been confirmed
by then must be there, what had been acknowledged long enough must not. Between two promises anything is right."""

import time

from message import SHIFT, MASK, name_of

NEVER = float("inf")
EXPIRY_SLACK = 1.0   # seconds; clocks are one, but the broker may be held up between its look and the sending


class Entry:
    """One message in one queue."""
    __slots__ = ("sent", "confirmed", "acked", "ack_sent", "settled", "was_delivered", "is_transient", "expires")

    def __init__(self, now, is_transient=False, lifetime=None):
        self.sent = now
        self.confirmed = NEVER         # from here on it must be there
        self.acked = NEVER             # from here on it may be gone: just before that was sent
        self.ack_sent = NEVER          # from some time after that on it must be gone: just after it was sent
        self.settled = NEVER           # from here on it must be gone
        self.was_delivered = False
        self.is_transient = is_transient
        self.expires = (now + lifetime, NEVER) if lifetime else None   # the earliest, and the latest if confirmed

    def must_stay(self, moment, now=NEVER):
        """Whether it had to be there at that moment, and until now, had nobody acknowledged it."""
        return self.confirmed <= moment.time and not self.is_transient and not (self.expires and self.expires[0] <= now)

    def confirm(self, now):
        self.confirmed = now
        if self.expires:
            self.expires = (self.expires[0], now + self.expires[0] - self.sent)


class Transaction:
    """Publishes and acknowledgements that count from commit-ok on, all or none."""

    def __init__(self):
        self.published = []   # (queue, number, Entry)
        self.acked = []
        self.sent = NEVER     # when tx.commit was sent; that of the published entries is the same
        self.committed = NEVER


class Snapshot:
    """What a broker has: per queue (number, redelivered, the time after which it was sent) in the queue's order."""

    def __init__(self):
        self.queues = {}
        self.read_until = {}   # queue -> when it was found to hold no more
        self.damaged = []      # texts


class Moment:
    """When it ended, and how."""

    def __init__(self, time_, settle_limit=NEVER, is_clean=False, ended=None, is_alive=False, is_torn=False,
                 has_other_logs=False):
        self.time = time_                    # promises made before it count
        self.ended = ended or time_          # nothing that was sent after it can be there
        self.settle_limit = settle_limit     # acknowledgements that much older than the moment count
        self.is_clean = is_clean
        self.is_torn = is_torn               # one log ended then
        # and others did not: there, what was acknowledged between it and the end is gone
        self.acked_limit = self.ended if has_other_logs else time_
        self.is_uncertain = False            # clean or not: a start was killed since
        self.is_alive = is_alive             # it did not end at all


class Ledger:
    """All entries, by queue and message number."""

    def __init__(self, rules):
        self.rules = rules
        self.entries = {}
        self.transactions = []
        self.may_deliver_again = False   # what was acknowledged: the acknowledgement may not have been read
        self.problems = []   # texts; what was wrong while it ran
        self.last_publisher = 0
        self.checked = 0          # messages whose fate was checked, all in all
        self.ended = NEVER        # when the broker was killed; what is read afterwards it had said before
        self.longest_wait = 0.0   # for a confirm, or another answer, in this run
        self.touched = set()      # queues that something was taken from in this run
        self.leaking = set()      # those of them that had consumers without acknowledgements

    def new_publisher(self):
        self.last_publisher += 1
        return self.last_publisher

    def queue(self, name):
        return self.entries.setdefault(name, {})

    def problem(self, text):
        self.problems.append(text)

    def take_problems(self):
        problems, self.problems = self.problems, []
        return problems

    # -- while it runs

    def promised_at(self):
        """The time of a promise that is being read."""
        return min(time.monotonic(), self.ended)

    def delivered(self, queue, number, sent_after):
        """The entry of what came from this queue, and was sent after that time; None, and a problem noted, if it should
        not have come."""
        entry = self.entries.get(queue, {}).get(number)
        if entry is None:
            self.problem("%s: %s was delivered, which is not there or was gone before" % (queue, name_of(number)))
            return None
        if entry.sent == NEVER:
            self.problem("%s: %s was delivered before its transaction was committed" % (queue, name_of(number)))
        if (entry.acked != NEVER or entry.settled != NEVER) and not self.may_deliver_again:
            self.problem("%s: %s was delivered again after its acknowledgement" % (queue, name_of(number)))
        if entry.expires and sent_after > entry.expires[1] + EXPIRY_SLACK:
            self.problem("%s: %s was delivered %.1f s after it had expired"
                         % (queue, name_of(number), sent_after - entry.expires[1]))
        entry.was_delivered = True
        return entry

    def note_wait(self, seconds):
        self.longest_wait = max(self.longest_wait, seconds)

    def messages(self):
        return sum(len(entries) for entries in self.entries.values())

    # -- afterwards

    def check(self, snapshot, moment):
        """The problems (texts) of what is there now."""
        problems = list(snapshot.damaged)
        for queue in sorted(set(snapshot.queues) | set(self.entries)):
            found = snapshot.queues.get(queue, [])
            _check_queue(self, problems, queue, found, moment, snapshot.read_until.get(queue))
            _check_order(problems, queue, found)
        present = {queue: {number for number, _, _ in found} for queue, found in snapshot.queues.items()}
        for transaction in self.transactions:
            if self.rules.tx_is_atomic:
                _check_transaction(problems, transaction, present, moment, self.may_deliver_again)
        return problems

    def carry_over(self, snapshot, moment):
        """What is there now is what counts from now on: what is not there must never come back."""
        now = time.monotonic()
        old, self.entries, self.transactions = self.entries, {}, []
        self.ended, self.longest_wait = NEVER, 0.0
        self.touched, self.leaking, self.may_deliver_again = set(), set(), False
        for queue, found in snapshot.queues.items():
            entries = self.queue(queue)
            for number, _, _ in found:
                entry = old.get(queue, {}).get(number) or Entry(now)
                entry.confirmed = min(entry.confirmed, now)
                entry.acked = entry.ack_sent = entry.settled = NEVER
                entry.was_delivered = True
                if entry.expires and entry.expires[1] == NEVER:
                    # not confirmed, but it had reached its queue when the broker ended
                    entry.expires = (entry.expires[0], moment.ended + entry.expires[0] - entry.sent)
                entries[number] = entry


def _check_queue(ledger, problems, queue, found, moment, read_until):
    entries = ledger.entries.get(queue, {})
    ledger.checked += len(entries)
    seen = set()
    for number, redelivered, sent_after in found:
        entry = entries.get(number)
        if number in seen:
            problems.append("%s: %s is there twice" % (queue, name_of(number)))
        seen.add(number)
        wrong = _why_not_there(entry, sent_after, moment)
        if wrong:
            problems.append("%s: %s is there, %s" % (queue, name_of(number), wrong))
        elif not _is_marked_right(ledger, queue, entry, redelivered, moment):
            problems.append("%s: %s is %smarked redelivered after %s end; it was %sdelivered before" % (
                queue, name_of(number), "" if redelivered else "not ", "a clean" if moment.is_clean else "an unclean",
                "" if entry.was_delivered else "not "))
    # not when the last message arrived: those behind it may have expired between the two
    now = read_until or time.monotonic()
    if queue in ledger.leaking:
        return
    for number, entry in entries.items():
        if number not in seen and entry.must_stay(moment, now) and entry.acked >= moment.acked_limit:
            problems.append("%s: %s is lost; it was confirmed %.0f ms before the end%s" % (
                queue, name_of(number), 1000 * (moment.time - entry.confirmed), _describe(entry, moment, now)))


def _describe(entry, moment, now):
    """What else is known of a message that is lost."""
    texts = ["sent %.0f ms before the end" % (1000 * (moment.time - entry.sent))]
    if entry.was_delivered:
        texts.append("delivered")
    if entry.acked != NEVER:
        texts.append("acknowledged %.0f ms after the end" % (1000 * (entry.acked - moment.time)))
    if entry.expires:
        texts.append("it would have expired %.0f ms after the queue was read" % (1000 * (entry.expires[0] - now)))
    return "; " + ", ".join(texts)


def _why_not_there(entry, sent_after, moment):
    """Why a message must not be there; None if it may."""
    if entry is None:
        return "but it was never published here, or it was gone after an earlier start"
    if entry.sent > moment.ended:
        return "but it was not sent before the end"
    if entry.is_transient and not moment.is_alive:
        return "but it is transient"
    if entry.settled <= moment.time:
        return "but its acknowledgement (or the removal of its queue) was made sure %.0f ms before the end" % (
            1000 * (moment.time - entry.settled))
    if entry.ack_sent < moment.time - moment.settle_limit:
        return "but it was acknowledged %.0f ms before the end (limit: %.0f ms)" % (
            1000 * (moment.time - entry.ack_sent), 1000 * moment.settle_limit)
    if entry.expires and sent_after > entry.expires[1] + EXPIRY_SLACK:
        return "but it had expired %.1f s before it was sent" % (sent_after - entry.expires[1])
    return None


def _is_marked_right(ledger, queue, entry, redelivered, moment):
    if moment.is_uncertain:
        return True
    if not moment.is_clean:
        return redelivered or not ledger.rules.marks_all_redelivered
    if not ledger.rules.marks_exactly:
        return True
    # a delivery may have been on its way when the broker ended: not delivered for us, delivered for the broker
    return redelivered == entry.was_delivered or (redelivered and queue in ledger.touched)


def _check_order(problems, queue, found):
    last = {}
    for number, _, _ in found:
        publisher, counter = number >> SHIFT, number & MASK
        if counter < last.get(publisher, -1):   # the same twice is told of elsewhere
            problems.append("%s: %d.%d comes after %d.%d" % (queue, publisher, counter, publisher, last[publisher]))
        last[publisher] = counter


def _check_transaction(problems, transaction, present, moment, may_deliver_again):
    """In doubt (tx.commit sent, no commit-ok) it is there in each queue as a whole; two may be in different logs."""
    if transaction.committed <= moment.time:
        return   # entries say all of it
    if transaction.sent > moment.ended:
        return   # and so do they here
    there, missing = {}, {}
    for queue, number, entry in transaction.published:
        if number in present.get(queue, ()):
            there.setdefault(queue, []).append(number)
        elif entry.acked >= moment.ended:
            # one that was acknowledged says nothing: it may have been delivered before it was on disk
            missing.setdefault(queue, []).append(number)
    for queue in set(there) & set(missing):
        problems.append("%s: of a transaction there are %s, but not %s" % (
            queue, " ".join(map(name_of, there[queue])), " ".join(map(name_of, missing[queue]))))
    gone = [(queue, number) for queue, number, entry in transaction.acked
            if number not in present.get(queue, ()) and entry.must_stay(moment)]
    # (then somebody else may have got and acknowledged it; and a torn log says nothing of the other logs)
    if gone and missing and not may_deliver_again and not moment.is_torn:
        problems.append("a transaction acknowledged %s of %s, but did not publish %s" % (
            name_of(gone[0][1]), gone[0][0], ", ".join("%s to %s" % (name_of(n[0]), q) for q, n in missing.items())))
