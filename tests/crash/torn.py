# SPDX-License-Identifier: MIT
"""Scenario torn: a killed shuntd's directory whose newest segment ends, or becomes zeros, at any of its last bytes.

Nothing may be lost that was confirmed before the first of the missing bytes was written. What the log has since counted
on to be on disk, as it has given up a segment for it, is not torn. No definitions change in these
runs: they are in another file, which is whole."""

import glob
import os
import random
import re
import shutil

import journal
from ledger import Moment
from recording import Recording
from restartable import BrokerFailed

LAST_BYTES = 2000


class Segment:
    """A log's newest segment, and when which of its bytes were written."""

    def __init__(self, data, path, entries):
        self.path = path                       # below data
        inode = os.stat(os.path.join(data, path)).st_ino
        # when it got the name; it is also opened to be read, amid its writes
        named = max((entry.end for entry in entries if path in (entry.path, entry.other) and (
            entry.kind == journal.RENAME or entry.kind == journal.OPEN and entry.flags & journal.CREATED)), default=0.0)
        self.writes = [entry for entry in entries
                       if entry.kind == journal.WRITE and entry.inode == inode and entry.begin >= named]
        self.end = max((entry.offset + len(entry.data) for entry in self.writes), default=0)
        self.first = self._first_unneeded(entries)

    def _first_unneeded(self, entries):
        """Where the bytes begin that were written after the log has last given up a segment. What was alive in that has
        been moved here, and been synced before: a disk that loses it has lied."""
        folder = os.path.dirname(self.path) + "/"
        given_up = max((entry.end for entry in entries if entry.path.startswith(folder) and entry.path.endswith(".log")
                        and (entry.kind == journal.UNLINK or entry.kind == journal.RENAME and "spare" in entry.other)),
                       default=0.0)
        return max((entry.offset + len(entry.data) for entry in self.writes if entry.begin < given_up), default=0)

    def begin_of(self, position):
        """When the first of the bytes from there on began to be written."""
        return min(entry.begin for entry in self.writes if entry.offset + len(entry.data) > position)


def newest_segments(recording):
    data, found = recording.broker.data, []
    for folder in sorted(glob.glob(os.path.join(glob.escape(data), "log-*"))):
        names = sorted(name for name in os.listdir(folder) if re.fullmatch("[0-9a-f]{16}\\.log", name))
        segments = [Segment(data, os.path.join(os.path.basename(folder), name), recording.entries) for name in names]
        # one that is prepared and not written to has no records
        found += [segment for segment in segments if segment.end][-1:]
    if not found:
        raise BrokerFailed("there is no segment in %s: %s" % (data, sorted(os.listdir(data))))
    return found


def tear(path, position, is_zeroed):
    size = os.path.getsize(path)
    os.truncate(path, position)
    if is_zeroed:
        os.truncate(path, size)


def run(report, broker, settings):
    count = 0
    for number in range(1, (4 if settings.long else 2) + 1):
        seed = "%s torn %d" % (settings.seed, number)
        folder = os.path.join(broker.directory, str(number))
        recording = Recording(settings, folder, seed, 1 if number % 2 else 2, with_definitions=False)
        report.add("torn %d: the recorded run" % number, recording.problems, recording.broker)
        for segment in newest_segments(recording):
            count += tear_everywhere(report, recording, segment, None if settings.long else 40, random.Random(seed))
        recording.broker.discard()
        if report.count_failed > settings.most_failures:
            break
    print("torn: %d torn segments" % count)
    report.add("torn: there were some", [] if count else ["none"])


def tear_everywhere(report, recording, segment, most, chance):
    places = [(position, is_zeroed) for position in range(max(segment.first, segment.end - LAST_BYTES), segment.end)
              for is_zeroed in (False, True)]
    if most is not None:
        places = sorted(chance.sample(places, min(most, len(places))))
    for position, is_zeroed in places:
        folder = os.path.join(recording.folder, "image")
        shutil.copytree(recording.broker.data, os.path.join(folder, "data"))
        tear(os.path.join(folder, "data", segment.path), position, is_zeroed)
        moment = Moment(segment.begin_of(position), recording.moment.settle_limit, ended=recording.moment.ended,
                        is_torn=True, has_other_logs=recording.loops > 1)
        problems, broker = recording.try_image(folder, moment)
        report.add("torn: %s %s at byte %d of %d, %d loops" % (
            segment.path, "zeroed" if is_zeroed else "cut", position, segment.end, recording.loops), problems, broker)
        broker.discard()
        if report.count_failed > recording.settings.most_failures:
            break
    return len(places)
