# SPDX-License-Identifier: MIT
"""Finds tests, runs each in a worker process with a time limit of its own, and counts.

A suite is a folder beside lib/, a module of it test_*.py, a test a function test_*(t) with t a case.Case. A test
passes unless it raises. A function's attribute `limit` (see the decorator) replaces the usual time limit, and a module
may have `available()`, which returns None or says why its tests cannot run here (a client that is not installed)."""

import importlib.util
import inspect
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import time
import traceback

from . import case

LIMIT_SECONDS = 60   # of a test that hangs; on a machine that has much else to do, others take long, too


def limit(seconds):
    """Decorator: this test may take so long, if that is more than what all may take."""
    def mark(function):
        function.limit = seconds
        return function
    return mark


class Test:
    """One test function, found by module path and name so that a worker can load it itself."""

    def __init__(self, suite, module, function):
        self.suite, self.module, self.function = suite, module, function
        self.name = "%s/%s: %s" % (suite, module.__name__.rsplit(".", 1)[-1].replace("test_", "", 1),
                                   function.__name__.replace("test_", "", 1))
        self.own_limit = getattr(function, "limit", 0)
        self.limit = max(self.own_limit, LIMIT_SECONDS)
        self.doc = inspect.getdoc(function)


class TestTimedOut(BaseException):
    """Not an Exception, so that no test swallows it."""


def load_suite(root, suite):
    """All tests of a folder, in the order of files and lines; (tests, skipped modules with their reasons)."""
    tests, absent = [], []
    folder = os.path.join(root, suite)
    for filename in sorted(os.listdir(folder)):
        if not (filename.startswith("test_") and filename.endswith(".py")):
            continue
        module = _load_module(os.path.join(folder, filename), "%s.%s" % (suite, filename[:-3]))
        reason = module.available() if hasattr(module, "available") else None
        if reason:
            absent.append(("%s/%s" % (suite, filename), reason))
            continue
        functions = [f for n, f in vars(module).items() if n.startswith("test_") and inspect.isfunction(f)]
        functions.sort(key=lambda f: f.__code__.co_firstlineno)
        tests += [Test(suite, module, f) for f in functions]
    return tests, absent


def _load_module(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run_one(test, broker, janitor):
    """Returns (outcome, detail) with outcome passed, failed or skipped."""
    def on_alarm(*_):
        raise TestTimedOut()
    signal.signal(signal.SIGALRM, on_alarm)
    seconds = test.limit * broker.patience
    signal.setitimer(signal.ITIMER_REAL, seconds)
    context = case.Case(broker, janitor, test.function.__name__, min(seconds * 0.6, 60))
    try:
        try:
            test.function(context)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 10 * broker.patience)
            context.finish()
        return "passed", ""
    except case.Skip as reason:
        return "skipped", str(reason)
    except TestTimedOut:
        return "failed", "timed out after %s s\n%s" % (seconds, traceback.format_exc(limit=-6))
    except Exception:   # pylint: disable=broad-except
        return "failed", traceback.format_exc(limit=-8)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _work(connection, tests, broker):
    """A worker: gets indices of tests, answers (index, outcome, detail, seconds)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    janitor = case.Janitor(broker)
    while True:
        index = connection.recv()
        if index is None:
            return
        begin = time.monotonic()
        outcome, detail = _run_one(tests[index], broker, janitor)
        connection.send((index, outcome, detail, time.monotonic() - begin))


class Worker:
    """A worker process as its parent sees it."""

    def __init__(self, tests, broker):
        self.tests, self.broker = tests, broker
        self.index = None
        self._start()

    def _start(self):
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_work, args=(other, self.tests, self.broker), daemon=True)
        self.process.start()
        other.close()

    def give(self, index):
        self.index = index
        self.deadline = time.monotonic() + (self.tests[index].limit + 15) * self.broker.patience
        self.pipe.send(index)

    def result(self):
        """The result of the test given, or None while it runs; a worker that hangs or died is replaced."""
        if self.pipe.poll():
            try:
                result = self.pipe.recv()
                self.index = None
                return result
            except EOFError:
                return self._replace("the test ended its worker process")
        if time.monotonic() > self.deadline:
            return self._replace("hung; its worker was killed")
        return None

    def _replace(self, detail):
        index, self.index = self.index, None
        self.process.kill()
        self.process.join()
        self._start()
        return index, "failed", detail, 0.0

    def end(self):
        try:
            self.pipe.send(None)
        except OSError:
            pass
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def run(tests, broker, jobs, verbose):
    """Runs all tests; returns (passed, failed, skipped) as counts, after printing each failure."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    # the slow ones first, so that none of them is left alone at the end; then those that may take long
    waiting = sorted(range(len(tests)), key=lambda i: (not _is_slow(tests[i]), -tests[i].own_limit, i))
    workers = [Worker(tests, broker) for _ in range(min(jobs, len(tests)))]
    durations = []
    while waiting or any(w.index is not None for w in workers):
        if waiting and broker.process is not None and broker.process.poll() is not None:
            print("the broker died; %d tests are not run" % len(waiting))
            counts["failed"] += len(waiting)
            waiting = []
        for worker in workers:
            if worker.index is None and waiting:
                worker.give(waiting.pop(0))
        multiprocessing.connection.wait([w.pipe for w in workers if w.index is not None], 1)
        for worker in workers:
            result = worker.result() if worker.index is not None else None
            if result is not None:
                _report(tests[result[0]], *result[1:], counts, verbose)
                durations.append((result[3], tests[result[0]].name))
    for worker in workers:
        worker.end()
    if verbose:
        for seconds, name in sorted(durations, reverse=True)[:10]:
            print("%6.2f s  %s" % (seconds, name))
    return counts["passed"], counts["failed"], counts["skipped"]


def _is_slow(test):
    return getattr(test.function, "slow", False)


def slow(function):
    """Decorator: this test waits for seconds by its nature; it is begun early."""
    function.slow = True
    return function


def _report(test, outcome, detail, seconds, counts, verbose):
    counts[outcome] += 1
    if outcome == "failed":
        print("FAILED  %s (%.2f s)\n%s" % (test.name, seconds, detail.rstrip()))
        if test.doc:
            print("    rule: %s" % test.doc)
    elif outcome == "skipped":
        print("skipped %s: %s" % (test.name, detail))
    elif verbose:
        print("passed  %s (%.2f s)" % (test.name, seconds))
    sys.stdout.flush()
