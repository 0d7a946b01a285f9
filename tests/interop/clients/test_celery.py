# SPDX-License-Identifier: MIT
"""Celery: real workers in processes of their own, and the application that sends them tasks."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from lib import process
from lib.proxy import Proxy
from lib.runner import limit, slow

FOLDER = os.path.dirname(os.path.abspath(__file__))


def available():
    return None if importlib.util.find_spec("celery") else "celery is not installed"


class Celery:
    """An application of the test's own: settings, workers, and the client side."""

    def __init__(self, t, broker=None, **environment):
        self.t = t
        self.prefix = t.name("celery")
        self.folder = tempfile.mkdtemp(prefix="shunt-celery-")
        t.cleanup(lambda: shutil.rmtree(self.folder, ignore_errors=True))
        broker = broker or t.broker
        if t.broker.authority:
            environment["AMQP_CA_FILE"] = t.broker.authority.file
        self.environment = dict(
            CELERY_BROKER="pyamqp://%s:%s@%s:%d//" % (broker.user, broker.password, broker.host, broker.port),
            CELERY_PREFIX=self.prefix, CELERY_LOG=os.path.join(self.folder, "log"), PYTHONPATH=FOLDER, **environment)
        for name in ("celery", "other", "topic", "events", "events.ev"):
            t.owns("%s.%s" % (self.prefix, name))
        t.owns(self.prefix + ".control.pidbox")
        t.owns("reply.%s.control.pidbox" % self.prefix)
        self.tasks = self._load()
        t.cleanup(self._close)

    def _load(self):
        """The application's module, anew for each test."""
        os.environ.update(self.environment)
        spec = importlib.util.spec_from_file_location("celery_app", os.path.join(FOLDER, "celery_app.py"))
        module = importlib.util.module_from_spec(spec)
        sys.modules["celery_app"] = module
        spec.loader.exec_module(module)
        module.app.set_current()
        return module

    def _close(self):
        self.tasks.app.close()
        for name in self.environment:
            os.environ.pop(name, None)

    def start(self, *arguments, name="one", pool="prefork", concurrency=2):
        """A worker."""
        return process.Program(
            self.t, [process.PYTHON, "-m", "celery", "-A", "celery_app", "worker", "-l", "info", "-P", pool,
                     "-c", str(concurrency), "-n", name + "@host", *arguments], cwd=self.folder, **self.environment)

    def worker(self, *arguments, name="one", **how):
        """One that is ready."""
        program = self.start(*arguments, name=name, **how)
        program.wait_line(r"%s@host ready\." % name)
        return program

    def results(self, results):
        """Of many tasks, in their order. (Each .get() of a result that is there already would take a second.)"""
        return self.tasks.app.ResultSet(list(results)).get(timeout=self.t.limit)

    def active(self, name="one"):
        """What the worker is doing, as it says itself."""
        answers = self.tasks.app.control.inspect([name + "@host"], timeout=self.t.limit, limit=1).active()
        return answers[name + "@host"]

    def stop(self, worker, name="one"):
        """SIGTERM, and it ends by itself. (While it reads from its pool, Celery's handler does harm.)"""
        self.t.wait(lambda: not self.active(name), "the worker to be idle")
        worker.send_signal(signal.SIGTERM)
        worker.wait_end()

    def log(self):
        path = self.environment["CELERY_LOG"]
        if not os.path.exists(path):
            return []
        with open(path, encoding="ascii") as f:
            return f.read().splitlines()

    def command(self, *arguments):
        return process.output_of(self.t, process.PYTHON, "-m", "celery", "-A", "celery_app", *arguments,
                                 cwd=self.folder, **self.environment)


@limit(60)
def test_distrust(t):
    t.distrust()
    Celery(t).start().wait_line("Cannot connect to .*certificate verify failed")


@limit(60)
def test_tasks_results_and_retries(t):
    celery = Celery(t)
    worker = celery.worker()
    tasks = celery.tasks
    assert celery.results(tasks.add.delay(n, n) for n in range(100)) == [2 * n for n in range(100)]
    assert tasks.stubborn.delay(3).get(timeout=t.limit) == 3
    failed = tasks.fails.delay()
    try:
        failed.get(timeout=t.limit)
        raise AssertionError("the task did not fail")
    except ValueError as error:
        assert str(error) == "on purpose"
    assert failed.state == "FAILURE" and "on purpose" in failed.traceback
    routed = tasks.where.apply_async(exchange=celery.prefix + ".topic", routing_key="other.way", priority=7)
    assert routed.get(timeout=t.limit) == ["other.way", 7]
    celery.stop(worker)


@limit(60)
def test_countdown_and_eta(t):
    celery = Celery(t)
    celery.worker()
    begin = time.time()
    delayed = celery.tasks.when.apply_async(countdown=1)
    at_once = celery.tasks.when.apply_async()
    assert at_once.get(timeout=t.limit) < delayed.get(timeout=t.limit)
    assert delayed.get() >= begin + 1
    expired = celery.tasks.add.apply_async((1, 1), countdown=0.5, expires=0.1)
    try:
        expired.get(timeout=t.limit)
        raise AssertionError("an expired task was run")
    except Exception as error:   # pylint: disable=broad-except
        assert type(error).__name__ == "TaskRevokedError", repr(error)


@limit(60)
def test_tasks_for_later_do_not_starve_others(t):
    """A worker raises its prefetch for each task that it keeps for later."""
    celery = Celery(t)
    celery.worker()
    for _ in range(10):
        celery.tasks.add.apply_async((1, 1), countdown=3600)
    assert celery.tasks.add.delay(2, 3).get(timeout=t.limit) == 5


@limit(60)
def test_chains_and_groups(t):
    from celery import chain, group
    celery = Celery(t)
    celery.worker()
    add, total = celery.tasks.add, celery.tasks.total
    assert chain(add.s(1, 2), add.s(3), add.s(4))().get(timeout=t.limit) == 10
    assert group(add.s(n, 1) for n in range(20))().get(timeout=t.limit) == list(range(1, 21))
    assert (total.s([1, 2, 3]) | add.s(10))().get(timeout=t.limit) == 16


@limit(60)
def test_chords(t):
    # with results in files: Celery has no chords on rpc://
    from celery import chord
    folder = tempfile.mkdtemp(prefix="shunt-celery-results-")
    t.cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    celery = Celery(t, CELERY_BACKEND="file://" + folder)
    celery.worker()
    add, total = celery.tasks.add, celery.tasks.total
    result = chord([add.s(n, n) for n in range(10)])(total.s())
    assert result.get(timeout=t.limit, interval=0.02) == 90


@limit(60)
def test_remote_control(t):
    celery = Celery(t)
    worker, _ = celery.worker(name="one"), celery.worker(name="two")
    inspect = celery.tasks.app.control.inspect(timeout=t.limit, limit=2)
    assert {name: answer["ok"] for name, answer in inspect.ping().items()} == {"one@host": "pong", "two@host": "pong"}
    stats = inspect.stats()
    assert stats["one@host"]["broker"]["port"] == t.broker.port
    assert stats["one@host"]["prefetch_count"] == 2
    assert "celery_app.add" in inspect.registered()["two@host"]
    queues = {q["name"] for q in inspect.active_queues()["one@host"]}
    assert queues == {celery.prefix + ".celery", celery.prefix + ".other"}
    one = dict(destination=["one@host"], reply=True, timeout=t.limit)
    control = celery.tasks.app.control
    assert control.rate_limit("celery_app.add", "100/s", **one) == [{"one@host": {"ok": "new rate limit set successfully"}}]
    assert control.add_consumer(celery.prefix + ".third", **one)[0]["one@host"]["ok"].startswith("add consumer")
    t.owns(celery.prefix + ".third")
    assert celery.tasks.add.apply_async((1, 1), queue=celery.prefix + ".third").get(timeout=t.limit) == 2
    assert control.cancel_consumer(celery.prefix + ".third", **one)[0]["one@host"]["ok"].startswith("no longer")
    assert "one@host: OK" in celery.command("inspect", "ping", "-d", "one@host", "-t", "10")
    control.shutdown(destination=["one@host"])
    worker.wait_end()


@limit(60)
def test_revoke(t):
    celery = Celery(t)
    worker = celery.worker(concurrency=1)
    gate = os.path.join(celery.folder, "gate")
    first = celery.tasks.blocks.delay(gate)
    worker.wait_line(r"Task celery_app.blocks\[%s\] received" % first.id)
    second = celery.tasks.add.delay(1, 1)
    celery.tasks.app.control.revoke(second.id, reply=True, timeout=t.limit, limit=1)
    with open(gate, "w", encoding="ascii"):
        pass
    assert first.get(timeout=t.limit) == "released"
    worker.wait_line(r"Discarding revoked task: celery_app.add\[%s\]" % second.id)
    third = celery.tasks.blocks.delay(os.path.join(celery.folder, "never"))
    worker.wait_line(r"Task celery_app.blocks\[%s\] received" % third.id)
    t.wait(celery.active, "the task to run")
    third.revoke(terminate=True)
    try:
        third.get(timeout=t.limit)
        raise AssertionError("a terminated task has a result")
    except Exception as error:   # pylint: disable=broad-except
        assert type(error).__name__ == "TaskRevokedError", repr(error)
    assert celery.tasks.add.delay(2, 2).get(timeout=t.limit) == 4


@limit(60)
def test_events_gossip_and_mingle(t):
    celery = Celery(t)
    seen = []
    app = celery.tasks.app
    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": seen.append})
        for consumer in receiver.get_consumers(lambda queues, **options: connection.Consumer(queues, **options), connection):
            consumer.consume()
        one = celery.worker("-E", "-l", "debug", name="one")
        two = celery.worker("-E", name="two")
        assert any("mingle: sync with 1 nodes" in line for line in two.lines), two.output()
        one.wait_line("two@host joined the party")
        result = celery.tasks.add.delay(1, 2)

        def have(kind, **fields):
            return any(e["type"] == kind and all(e.get(k) == v for k, v in fields.items()) for e in seen)

        def look():
            try:
                connection.drain_events(timeout=0.2)
            except OSError:
                pass
            return have("task-succeeded", uuid=result.id) and have("worker-online", hostname="two@host")
        t.wait(look, "events", pause=0)
        assert have("task-received", uuid=result.id) and have("task-started", uuid=result.id)
        celery.stop(two, "two")
        one.wait_line("two@host left")
        t.wait(lambda: look() and have("worker-offline", hostname="two@host"), "worker-offline", pause=0)


@slow
@limit(90)
def test_killed_worker_loses_no_late_acked_task(t):
    count = 120
    celery = Celery(t, CELERY_PREFETCH="4")
    first = celery.worker(concurrency=4)
    for number in range(count):
        celery.tasks.late.apply_async((number, 0.05), ignore_result=True)

    def done():
        return {int(line.split()[1]) for line in celery.log() if line.startswith("done")}
    t.wait(lambda: len(done()) >= count // 4, "a quarter of the tasks")
    first.kill()
    before = done()
    assert count // 4 <= len(before) < count, "the worker was killed too late for this test"
    celery.worker(concurrency=4, name="second")
    t.wait(lambda: len(done()) == count, "all tasks: %d were done before" % len(before))
    channel = t.channel()
    t.wait_counts(channel, celery.prefix + ".celery", 0)


@slow
@limit(60)
def test_killed_pool_process_loses_no_task(t):
    """reject_on_worker_lost: the task of a process that died goes back to the queue."""
    celery = Celery(t)
    celery.worker(concurrency=1)
    result = celery.tasks.late.delay(7, 3600.0)
    t.wait(lambda: celery.log() == ["begin 7"], "the task to begin")
    os.kill(celery.active()[0]["worker_pid"], signal.SIGKILL)
    t.wait(lambda: celery.log() == ["begin 7"] * 2, "the task to begin again")
    result.revoke(terminate=True)


@slow
@limit(60)
def test_warm_shutdown_gives_prefetched_tasks_back(t):
    celery = Celery(t, CELERY_PREFETCH="10")
    worker = celery.worker(concurrency=1)
    gate = os.path.join(celery.folder, "gate")
    first = celery.tasks.blocks.delay(gate)
    rest = [celery.tasks.add.delay(n, 0) for n in range(20)]
    t.wait(celery.active, "the task to run")
    worker.send_signal(signal.SIGTERM)
    worker.wait_line("Warm shutdown")
    with open(gate, "w", encoding="ascii"):
        pass
    worker.wait_end()
    assert first.get(timeout=t.limit) == "released"
    celery.worker(name="second")
    assert celery.results(rest) == list(range(20))


@limit(60)
def test_solo_and_threads_pools(t):
    for pool in ("solo", "threads"):
        celery = Celery(t)
        worker = celery.worker(pool=pool)
        assert celery.results(celery.tasks.add.delay(n, 1) for n in range(10)) == list(range(1, 11))
        worker.kill()


@slow
@limit(60)
def test_worker_reconnects_after_its_connection_is_cut(t):
    proxy = Proxy(t)
    celery = Celery(t, broker=proxy)
    worker = celery.worker()
    assert celery.tasks.add.delay(1, 1).get(timeout=t.limit) == 2
    proxy.cut()
    worker.wait_line("Connection to broker lost")
    worker.wait_line("Connected to")
    with celery.tasks.app.connection_for_write() as connection:
        celery.tasks.add.apply_async((2, 3), task_id="after", connection=connection)
    worker.wait_line(r"add\[after\] succeeded")


def test_purge_command(t):
    celery = Celery(t)
    for number in range(5):
        celery.tasks.add.delay(number, number)
    t.wait_counts(t.channel(), celery.prefix + ".celery", 5)
    assert "Purged 5 messages" in celery.command("purge", "-f")
