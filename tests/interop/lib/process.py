# SPDX-License-Identifier: MIT
"""Programs that a test starts: their output line by line, waited for with limits, and their certain end."""

import ctypes
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _prepare_child():
    """Between fork and exec: it dies with us, and Ctrl-C, which our workers ignore, is not ignored in it."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def broker_environment(t, **extra):
    """What a program in another language needs to know of the broker and of its names."""
    broker = t.broker
    environment = dict(os.environ, LANG="C.UTF-8", PYTHONUNBUFFERED="1", PYTHONDONTWRITEBYTECODE="1",
                       AMQP_HOST=broker.host, AMQP_PORT=str(broker.port), AMQP_USER=broker.user,
                       AMQP_PASSWORD=broker.password, AMQP_KIND=broker.kind, AMQP_PREFIX=t.prefix,
                       AMQP_LIMIT_SECONDS="%d" % max(1, t.limit * 0.9), AMQP_URL=broker.url())
    if broker.authority:
        environment["AMQP_CA_FILE"] = broker.authority.file   # there is nothing but TLS then
    environment.update(extra)
    return environment


class Program:
    """A process in a group of its own, which is killed after the test at the latest.

    Everything it prints is in .lines; wait_line() goes on behind the line it found last."""

    def __init__(self, t, command, cwd=None, stdin=subprocess.DEVNULL, **environment):
        self.t, self.name = t, os.path.basename(command[-1] if len(command) < 3 else " ".join(command[-2:]))
        self.lines = []
        self._position = 0
        self._fresh = queue.SimpleQueue()
        self.process = subprocess.Popen(command, cwd=cwd, env=broker_environment(t, **environment), stdin=stdin,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                                        preexec_fn=_prepare_child)
        t.cleanup(self.kill)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._fresh.put(line.decode("utf-8", "replace").rstrip("\r\n"))
        self._fresh.put(None)

    def output(self, count=40):
        return "\n".join("    | " + line for line in self.lines[-count:])

    def _next_line(self, deadline, what):
        """The next line not looked at yet; raises when there comes none."""
        if self._position == len(self.lines):
            try:
                line = self._fresh.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError("%s: waited in vain for %s; it said\n%s"
                                     % (self.name, what, self.output())) from None
            if line is None:
                self._fresh.put(None)
                raise AssertionError("%s: ended before %s; it said\n%s" % (self.name, what, self.output()))
            self.lines.append(line)
        self._position += 1
        return self.lines[self._position - 1]

    def wait_line(self, pattern, limit=None):
        """The match of the regular expression in the next line that has it."""
        deadline = time.monotonic() + max(limit * self.t.broker.patience if limit else 0, self.t.limit)
        while True:
            found = re.search(pattern, self._next_line(deadline, "a line with %r" % pattern))
            if found:
                return found

    def has_said(self, pattern):
        """Whether any line up to now has it; does not wait, and moves nothing on."""
        while not self._fresh.empty():
            line = self._fresh.get()
            if line is None:
                self._fresh.put(None)
                break
            self.lines.append(line)
        return any(re.search(pattern, line) for line in self.lines)

    def wait_end(self, status=0, limit=None):
        """Until it ends by itself, with this status; returns all its lines."""
        deadline = time.monotonic() + max(limit * self.t.broker.patience if limit else 0, self.t.limit)
        try:
            while True:
                self._position = len(self.lines)
                self._next_line(deadline, "\0end")
        except AssertionError:
            if time.monotonic() >= deadline:
                raise AssertionError("%s did not end; it said\n%s" % (self.name, self.output())) from None
        got = self.process.wait(max(1.0, deadline - time.monotonic()))
        assert status in (None, got), "%s ended with status %d; it said\n%s" % (self.name, got, self.output())
        return self.lines

    def send_signal(self, signum):
        self.process.send_signal(signum)

    def interrupt(self):
        """Ctrl-C, and it ends with status 0."""
        self.process.send_signal(signal.SIGINT)
        return self.wait_end()

    def kill(self):
        """SIGKILL to it and all its children; done when it has ended."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self._reader.join(5)


def output_of(t, *command, status=0, text=None, limit=None, cwd=None, **environment):
    """Runs a short program with this text as its input; returns what it printed, both streams in one."""
    process = subprocess.Popen(command, env=broker_environment(t, **environment), cwd=cwd, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                               preexec_fn=_prepare_child)
    try:
        data = text.encode() if isinstance(text, str) else text
        output = process.communicate(data, max(limit * t.broker.patience if limit else 0, t.limit))[0]
    except subprocess.TimeoutExpired as late:
        raise AssertionError("%s did not end; it said\n%s" % (
            " ".join(command), (late.output or b"").decode("utf-8", "replace"))) from None
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
    output = output.decode("utf-8", "replace")
    assert status in (None, process.returncode), "%s ended with status %d; it said\n%s" % (
        " ".join(command), process.returncode, output)
    return output


def cases_in(source, pattern, command, limit=60):
    """Test functions for the cases of a program in another language: {name: function}.

    A case is what the pattern finds in the source, as group 1; `command` with the case's name runs it, and it passes
    when that ends with status 0."""
    with open(source, encoding="utf-8") as f:
        names = re.findall(pattern, f.read(), re.MULTILINE)
    assert names, "no cases in " + source

    def make(case):
        def run(t):
            output_of(t, *command, case)
        run.__name__ = run.__qualname__ = "test_" + case
        run.limit = limit
        return run
    def test_distrust(t):
        distrust(t, *command, names[0])
    return {"test_distrust": test_distrust, **{"test_" + case: make(case) for case in names}}


def distrust(t, *command):
    """With whom it trusts, the program must not connect; PHP does not say why."""
    t.distrust()
    program = Program(t, command)
    program.wait_line("(?i)certificate|peer cert|Unable to connect to ssl:")
    program.wait_end(status=None)
    assert program.process.returncode != 0, program.output()


PYTHON = sys.executable
