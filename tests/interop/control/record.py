#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Records the transcripts anew: what Debian's rabbitmqctl prints. Shunt's own blocks in them stay.

    record.py [NAME...]        those in transcripts/NAME.txt, or all of them"""

import os
import signal
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(FOLDER))
sys.dont_write_bytecode = True

from lib import broker as brokers              # noqa: E402
from lib import transcript                     # noqa: E402
from lib.shuntctl import RABBITMQCTL           # noqa: E402


def record(path):
    broker = brokers.RabbitBroker()
    broker.start()
    try:
        transcript.await_startup(RABBITMQCTL, broker.environment, 60)
        steps, remarks, answers = transcript.play(path, broker, RABBITMQCTL, broker.environment, 60)
    finally:
        broker.stop()
    for index, step in enumerate(steps):
        if answers[index] is not None:
            answer = answers[index]
            stdout = transcript.normalise(answer.stdout)
            answers[index] = transcript.Answer(transcript.in_order(stdout) if step.unordered else stdout,
                                               transcript.normalise(answer.stderr), answer.status)
    transcript.write(path, steps, remarks, answers)
    print("%s: %d steps" % (path, len(steps)))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))   # so that the broker is stopped
    folder = os.path.join(FOLDER, "transcripts")
    names = sys.argv[1:] or sorted(name[:-4] for name in os.listdir(folder) if name.endswith(".txt"))
    for name in names:
        record(os.path.join(folder, name + ".txt"))


if __name__ == "__main__":
    main()
