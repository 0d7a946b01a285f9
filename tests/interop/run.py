#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs AMQP clients against a broker and checks what they see.

    run.py --shuntd PATH --plugins DIR      against a shuntd of its own (the usual way)
    run.py --rabbitmq                       against a private RabbitMQ of Debian's, to check the checks
    run.py --url amqp://guest:guest@host/   against a broker that runs already

Every folder beside lib/ that holds test_*.py files is a suite. Exit status 0 when nothing failed."""

import argparse
import os
import signal
import sys
import time

ROOT = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, ROOT)
sys.dont_write_bytecode = True

from lib import broker as brokers   # noqa: E402
from lib import runner              # noqa: E402


def all_suites():
    return [name for name in sorted(os.listdir(ROOT)) if name != "lib" and os.path.isdir(os.path.join(ROOT, name))
            and any(f.startswith("test_") and f.endswith(".py") for f in os.listdir(os.path.join(ROOT, name)))]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--shuntd", metavar="PATH", help="start this shuntd")
    where.add_argument("--rabbitmq", action="store_true", help="start Debian's RabbitMQ")
    where.add_argument("--url", help="use this running broker")
    parser.add_argument("--plugins", metavar="DIR", help="plugins.dir for shuntd")
    parser.add_argument("--loops", type=int, default=2, help="loops of shuntd (default 2)")
    parser.add_argument("-o", "--option", action="append", default=[], metavar="KEY=VALUE", help="a setting for shuntd")
    parser.add_argument("--wrapper", default="", help="a command to run shuntd under, e.g. valgrind")
    parser.add_argument("--tls", action="store_true", help="the broker speaks nothing but TLS, and so do all clients")
    parser.add_argument("--suite", default="all", help="a suite, or all: %s" % ", ".join(all_suites()))
    parser.add_argument("-k", dest="pattern", default="", help="only tests whose name contains this")
    parser.add_argument("--jobs", type=int, default=4, help="tests at the same time (default 4)")
    parser.add_argument("--patience", type=float, default=1.0, metavar="N",
                        help="multiply all time limits by N (sanitizers, valgrind)")
    parser.add_argument("--list", action="store_true", help="print the tests' names and run none")
    parser.add_argument("-v", "--verbose", action="store_true", help="print passed tests and the ten slowest too")
    arguments = parser.parse_args()
    if arguments.tls and arguments.url:
        parser.error("--tls is for a broker that is started here")
    return arguments


def choose_broker(arguments):
    if arguments.rabbitmq:
        return brokers.RabbitBroker(arguments.tls)
    if arguments.url:
        return brokers.RunningBroker(arguments.url)
    return brokers.ShuntBroker(arguments.shuntd, arguments.plugins, arguments.loops, arguments.option,
                               arguments.wrapper.split(), arguments.tls)


def choose_tests(arguments):
    suites = all_suites() if arguments.suite == "all" else arguments.suite.split(",")
    chosen = []
    for suite in suites:
        tests, absent = runner.load_suite(ROOT, suite)
        for name, reason in absent:
            print("skipped %s: %s" % (name, reason))
        chosen += [test for test in tests if arguments.pattern in test.name]
    return chosen


def main():
    # so that the broker is stopped by whatever ends us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = parse_arguments()
    tests = choose_tests(arguments)
    if arguments.list:
        print("\n".join(test.name for test in tests))
        return 0
    broker = choose_broker(arguments)
    broker.patience = arguments.patience
    passed = failed = skipped = 0
    begin = time.monotonic()
    try:
        broker.start()
        try:
            if arguments.verbose:
                print("broker is %s on port %d, up in %.2f s" % (broker.kind, broker.port, time.monotonic() - begin))
            begin = time.monotonic()
            passed, failed, skipped = runner.run(tests, broker, arguments.jobs, arguments.verbose)
            seconds = time.monotonic() - begin
        finally:
            broker.stop()
        passed += broker.checked_end   # it lived, and ended as it should
    except brokers.BrokerFailed as error:
        print("FAILED  the broker: %s" % error)
        failed += 1
        seconds = time.monotonic() - begin
    print("%d tests in %.1f s, %d skipped, against %s" % (len(tests), seconds, skipped, broker.kind))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
