# SPDX-License-Identifier: MIT
"""Scenario power: what a disk may hold after a power cut, at many moments of a run. The model is in image.py."""

import os
import random

import journal
from image import Choice, Replay
from ledger import Moment
from recording import Recording


def choose_moments(recording, count, chance):
    """Moments of the run: some at any time, some just before, within or after a call; more of syncs, which matter."""
    entries = [entry for entry in recording.entries if entry.begin < recording.moment.time]
    syncs = [entry for entry in entries if entry.kind == journal.SYNC]
    moments = []
    while len(moments) < count:
        luck = chance.random()
        if luck < 0.25 or not syncs:
            begin = recording.begin if chance.random() < 0.3 else recording.loaded
            moments.append(chance.uniform(begin, recording.moment.time))
            continue
        entry = chance.choice(syncs if luck < 0.7 else entries)
        moments.append(chance.choice((entry.begin, (entry.begin + entry.end) / 2, entry.end, entry.end + 50e-6)))
    return sorted(moment for moment in moments if moment < recording.moment.time)


def run(report, broker, settings):
    count = 0
    for number in range(1, (20 if settings.long else 4) + 1):
        seed = "%s power %d" % (settings.seed, number)
        folder = os.path.join(broker.directory, str(number))
        loops = (1, 2, 1, 3)[number % 4]
        recording = Recording(settings, folder, seed, loops)
        report.add("power %d: the recorded run" % number, recording.problems, recording.broker)
        count += try_images(report, recording, number, random.Random(seed), 200 if settings.long else 35)
        recording.broker.discard()
        if report.count_failed > settings.most_failures:
            break
    print("power: %d images" % count)


def try_images(report, recording, number, chance, count):
    replay = Replay(recording.disk, recording.entries)
    for index, time_ in enumerate(choose_moments(recording, count, chance)):
        under_way = replay.advance(time_)
        choice = Choice(chance)
        folder = os.path.join(recording.folder, "image")
        os.makedirs(folder)
        recording.disk.write_image(os.path.join(folder, "data"), under_way, choice)
        problems, broker = recording.try_image(folder, Moment(time_, recording.settle_limit))
        at, load, end = (1000 * (t - recording.begin) for t in (time_, recording.loaded, recording.moment.time))
        report.add("power %d, image %d: at %.1f ms (load from %.1f to %.1f ms), unsynced: %s, %d loops" % (
            number, index, at, load, end, choice.kind, recording.loops), problems, broker)
        broker.discard()
        if report.count_failed > recording.settings.most_failures:
            return index + 1
    return count
