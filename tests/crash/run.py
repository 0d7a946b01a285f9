#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Kills shuntd in every way and checks that nothing confirmed is lost.

    run.py --shuntd PATH --plugins DIR              all scenarios, as long as CI has time for
    run.py --shuntd PATH --plugins DIR --long       all of them, for as long as it takes (an hour or so)
    run.py --shuntd PATH --plugins DIR -k kill --kills 1000 --seed 7
    run.py --rabbitmq -k kill --kills 20            the same checks against Debian's RabbitMQ, to check the checks

Scenarios:
  checks  the checks below find what is wrong (takes no time)
  kill    SIGKILL (now and then SIGTERM, another number of loops, a kill within the start) under a load of every kind,
          on one directory all the time; after each restart all queues and definitions are compared with the promises
  power   the disk's writes of a run are recorded (journal.c); images of the directory are made as after power cuts at
          many moments, with unsynced sectors and directory entries lost at random, and a shuntd is started on each,
          twice: the second start must find what the first has found
  torn    the newest segment of a killed shuntd is cut, or zeroed, at every byte of its last records
  faults  system calls of the store fail (faults.c): EIO, ENOSPC, short writes; while it runs, and while it starts

Every random choice comes from the seed, which is printed; when things happen is the machine's choice, so the same seed
does the same things, but not at the same instants. power, torn and faults need tests/crash/{journal,faults}.so of the
build that shuntd lies in (make -C BUILD tests/crash/journal.so tests/crash/faults.so), or --libraries.

--keep DIR copies the data directory there when a check fails. Exit status 0 when nothing failed."""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [ROOT, os.path.join(os.path.dirname(ROOT), "interop")]
sys.dont_write_bytecode = True

import checks                        # noqa: E402
import faults                        # noqa: E402
import kill                          # noqa: E402
import power                         # noqa: E402
import restartable                   # noqa: E402
import torn                          # noqa: E402

SCENARIOS = {"checks": checks, "kill": kill, "power": power, "torn": torn, "faults": faults}


class Report:
    """Counts checks, and prints those that failed."""

    def __init__(self, verbose, keep):
        self.verbose, self.keep = verbose, keep
        self.count_passed = self.count_failed = 0

    def add(self, name, problems, broker=None):
        if problems:
            self.failed(name, problems, broker)
        else:
            self.passed(name)

    def passed(self, name):
        self.count_passed += 1
        if self.verbose:
            print("passed  " + name, flush=True)

    def failed(self, name, problems, broker=None):
        self.count_failed += 1
        print("FAILED  " + name)
        for problem in problems[:20]:
            print("    " + problem.replace("\n", "\n    "))
        if len(problems) > 20:
            print("    and %d more" % (len(problems) - 20))
        if broker is not None:
            print("    its log ends:\n" + "\n".join("    | " + line for line in broker.log_tail(8).splitlines()))
        if broker is not None and self.keep:
            target = os.path.join(self.keep, "failed-%d" % self.count_failed)
            shutil.copytree(broker.directory, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
            print("    its directory (data: as it is now; left-1: as the last one left it): " + target)
        sys.stdout.flush()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--shuntd", metavar="PATH", help="start this shuntd")
    where.add_argument("--rabbitmq", action="store_true", help="start Debian's RabbitMQ (only scenario kill)")
    parser.add_argument("--plugins", metavar="DIR", help="plugins.dir for shuntd")
    parser.add_argument("--loops", type=int, default=2, help="loops of shuntd to begin with (default 2)")
    parser.add_argument("--segment-size", type=int, default=1 << 20, metavar="BYTES",
                        help="store.segment_size (default 1 MiB, so that segments come and go)")
    parser.add_argument("-o", "--option", action="append", default=[], metavar="KEY=VALUE", help="a setting for shuntd")
    parser.add_argument("--libraries", metavar="DIR", help="where journal.so and faults.so are")
    parser.add_argument("--long", action="store_true", help="the longer mode")
    parser.add_argument("--kills", type=int, help="scenario kill: so many (default 200; --long: 3000)")
    parser.add_argument("--seconds", type=float, help="scenario kill: not longer than this")
    parser.add_argument("--self-check", action="store_true",
                        help="scenario kill: kill nothing, so that any broker must pass")
    parser.add_argument("--seed", help="the random choices of an earlier run")
    parser.add_argument("--most-failures", type=int, default=5, help="a scenario ends after so many failed checks")
    parser.add_argument("--keep", metavar="DIR", help="copy the directory there when a check fails")
    parser.add_argument("-k", dest="pattern", default="", help="only scenarios whose name contains this, or one of these: a,b")
    parser.add_argument("-v", "--verbose", action="store_true", help="print what passed too")
    settings = parser.parse_args()
    settings.seed = settings.seed or str(random.SystemRandom().randrange(10**9))
    settings.kills = settings.kills or (3000 if settings.long else 200)
    return settings


def prepare(settings):
    """The options that shuntd gets; a shuntd without such a setting goes without."""
    settings.options = list(settings.option)
    option = "store.segment_size=%d" % settings.segment_size
    if settings.shuntd:
        settings.shuntd = os.path.abspath(settings.shuntd)
        if not os.access(settings.shuntd, os.X_OK):
            sys.exit("run.py: there is no program %s" % settings.shuntd)
        settings.libraries = settings.libraries or os.path.join(os.path.dirname(settings.shuntd), "tests", "crash")
        plugins = ["-o", "plugins.dir=" + os.path.abspath(settings.plugins)] if settings.plugins else []
        knows = subprocess.run([settings.shuntd, "--check-config", "-o", option, *plugins], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
        if knows:
            settings.options.append(option)
        else:
            print("this shuntd has no store.segment_size")


def make_broker(settings, directory):
    if settings.rabbitmq:
        return restartable.Rabbit(directory)
    broker = restartable.Shunt(settings.shuntd, settings.plugins, directory, settings.loops, settings.options)
    broker.keeps = 4 if settings.keep else 0
    return broker


def run_scenario(name, report, settings, folder):
    begin, failed = time.monotonic(), report.count_failed
    broker = make_broker(settings, os.path.join(folder, name))
    try:
        SCENARIOS[name].run(report, broker, settings)
    except restartable.BrokerFailed as error:
        report.failed(name, [str(error)], broker)
    except Exception:   # pylint: disable=broad-except
        # the broker sent rubbish, or nothing; the other scenarios still run
        report.failed(name, [traceback.format_exc(limit=-8)], broker)
    finally:
        broker.discard()
    print("%s: %.0f s%s" % (name, time.monotonic() - begin, ", failed" if report.count_failed > failed else ""),
          flush=True)


def main():
    # so that brokers are ended by whatever ends us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    settings = parse_arguments()
    prepare(settings)
    print("seed %s" % settings.seed, flush=True)
    report = Report(settings.verbose, settings.keep)
    names = [name for name in SCENARIOS if any(part in name for part in settings.pattern.split(","))
             and (settings.shuntd or name in ("checks", "kill"))]
    folder = tempfile.mkdtemp(prefix="shunt-crash-")
    try:
        for name in names:
            run_scenario(name, report, settings, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("%d passed, %d failed" % (report.count_passed, report.count_failed))
    return 1 if report.count_failed or not report.count_passed else 0


if __name__ == "__main__":
    sys.exit(main())
