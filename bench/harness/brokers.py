# SPDX-License-Identifier: MIT
"""The brokers that bench/run measures: started, stopped, and begun anew."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "interop"))

from lib import broker as servers   # noqa: E402
from lib.broker import BrokerFailed   # noqa: E402, F401


class Server:
    """A broker of our own. `id` and `title` are those of the table; `is_cheap`: it starts in no time, so that each run
    has a process of its own, and memory that nobody used before."""
    is_cheap = True
    server = None   # of the client suites' library

    def __init__(self, id_, title):
        self.id = id_
        self.title = title

    def make(self):
        raise NotImplementedError

    def ready(self, fresh):
        """(host, port, pid) of a running broker, a new one if it is to be fresh. Raises BrokerFailed."""
        if self.server is not None and (fresh or self.is_cheap or self.server.process.poll() is not None):
            self.stop()
        if self.server is None:
            self.server = self.make()
            try:
                self.server.start()
            except BaseException:
                self.stop()
                raise
        return self.server.host, self.server.port, self.server.process.pid

    def why_dead(self):
        """What it said last, if it has died; else nothing."""
        process = self.server.process if self.server is not None else None
        if process is None or process.poll() is None:
            return ""
        return "the broker died, status %d: %s" % (process.returncode, self.server.log_tail(1))

    def stop(self):
        server, self.server = self.server, None
        if server is None:
            return
        try:
            server.stop()
        except BrokerFailed as error:
            print("bench: stopping %s: %s" % (self.title, error), file=sys.stderr)


class Shunt(Server):
    def __init__(self, build, id_="shunt", title="Shunt", loops=0):
        super().__init__(id_, title)
        self.build = build
        self.loops = loops

    def make(self):
        return servers.ShuntBroker(os.path.join(self.build, "shuntd"), os.path.join(self.build, "modules"), self.loops)


class RabbitMQ(Server):
    is_cheap = False

    def __init__(self):
        super().__init__("rabbitmq", "RabbitMQ")

    def make(self):
        return servers.RabbitBroker()


class FloorServer(servers.Broker):
    """bench/floor as a broker of the client suites' library."""
    kind = "floor"

    def __init__(self, program):
        self.program = program
        self.directory = None

    def start(self):
        self.directory = tempfile.mkdtemp(prefix="shunt-floor-")
        self.log_path = os.path.join(self.directory, "stderr.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([self.program, "0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=log)
        line = self.process.stdout.readline()   # its port, once it listens
        if not line.strip().isdigit():
            raise BrokerFailed("the floor did not start: %s" % self.log_tail())
        self.port = int(line)

    def stop(self):
        try:
            if self.process is not None:
                servers.end_process(self.process, signal.SIGTERM, limit=10)
                self.process.stdout.close()
        finally:
            self.process = None
            shutil.rmtree(self.directory, ignore_errors=True)


class Floor(Server):
    def __init__(self, build):
        super().__init__("floor", "floor")
        self.program = os.path.join(build, "bench", "floor")

    def make(self):
        return FloorServer(self.program)


class Also:
    """One that runs already: NAME=HOST:PORT:PID. It cannot be begun anew."""

    def __init__(self, text):
        self.title, _, where = text.partition("=")
        host, _, rest = where.rpartition(":")
        host, _, port = host.rpartition(":")
        if not self.title or not host or not port.isdigit() or not rest.isdigit():
            raise ValueError("--also takes NAME=HOST:PORT:PID")
        self.id = "also-" + self.title
        self.where = host, int(port), int(rest)

    def ready(self, fresh):   # pylint: disable=unused-argument
        return self.where

    def why_dead(self):
        return "" if os.path.exists("/proc/%d" % self.where[2]) else "its process is gone"

    def stop(self):
        """Not ours to stop."""


# A policy of the machine's own is put aside meanwhile; one that an interrupted run left aside comes back, too.
INSTALL = """set -e
policy=/usr/sbin/policy-rc.d
back="rm -f $policy"
if [ -e $policy ] && ! [ -e $policy.bench ]; then mv $policy $policy.bench; fi
if [ -e $policy.bench ]; then back="mv $policy.bench $policy"; fi
trap "$back" EXIT
trap 'exit 1' HUP INT TERM
printf '#!/bin/sh\\nexit 101\\n' >$policy
chmod 755 $policy
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends rabbitmq-server
"""


def install_rabbitmq():
    """Debian's package, if it is not there. Its service is kept from starting. Raises BrokerFailed."""
    if os.path.exists(servers.RABBITMQ_SERVER):
        return
    command = ["sh", "-c", INSTALL]
    if not shutil.which("apt-get"):
        raise BrokerFailed("RabbitMQ is not installed, and there is no apt-get to do so")
    if os.geteuid() != 0:
        if not shutil.which("sudo"):
            raise BrokerFailed("as root, install: rabbitmq-server (or leave it out: --without rabbitmq)")
        command = ["sudo"] + command
    print("installing: rabbitmq-server", file=sys.stderr)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    if done.returncode != 0 or not os.path.exists(servers.RABBITMQ_SERVER):
        raise BrokerFailed("installing rabbitmq-server failed:\n" + "\n".join(done.stdout.splitlines()[-20:]))
