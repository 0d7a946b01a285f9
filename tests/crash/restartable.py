# SPDX-License-Identifier: MIT
"""Brokers that are killed and started again on what they left."""

import os
import shutil
import signal
import subprocess
import time

from lib import broker as brokers

from peer import LIMIT_SECONDS

BrokerFailed = brokers.BrokerFailed
UNUSABLE_DIRECTORY = 73


class Rules:
    """What is promised, where brokers differ. Times in seconds."""
    settle_limit = 0.1          # an acknowledgement older than that survives SIGKILL
    marks_all_redelivered = True   # after an unclean end
    marks_exactly = True        # a clean stop keeps for each message whether it was delivered
    tx_is_atomic = True
    tx_acks_are_sure = True     # after commit-ok
    has_loops = True
    keeps_definitions = True    # after an unclean end


class RabbitRules(Rules):
    """RabbitMQ keeps acknowledgements in memory for as long as it likes, and definitions for a while (its log of them
    is buffered); and it says that tx is not atomic in a crash."""
    settle_limit = float("inf")
    marks_all_redelivered = False
    marks_exactly = False
    tx_is_atomic = False
    tx_acks_are_sure = False
    has_loops = False
    keeps_definitions = False


class Shunt(brokers.ShuntBroker):
    """shuntd on a directory that outlives it; `preload` is a shared object, `environment` what that reads."""
    rules = Rules

    def __init__(self, shuntd, plugins, directory, loops=2, options=()):
        super().__init__(shuntd, plugins, loops, options)
        self.directory = directory
        self.keeps = 0   # so many copies of what the last ones left are kept, as left-1 (the last), left-2, ...
        os.makedirs(directory, exist_ok=True)

    def keep_data(self):
        if not self.keeps:
            return
        paths = [os.path.join(self.directory, "left-%d" % number) for number in range(1, self.keeps + 1)]
        shutil.rmtree(paths[-1], ignore_errors=True)
        for older, newer in reversed(list(zip(paths[1:], paths))):
            if os.path.exists(newer):
                os.rename(newer, older)
        shutil.copytree(self.data, paths[0])

    @property
    def data(self):
        return os.path.join(self.directory, "data")

    def preload(self, library, **environment):
        """From the next start on. env executes shuntd, so its pid is still the one we started."""
        self.wrapper = ["env", "LD_PRELOAD=" + library, "ASAN_OPTIONS=%s:verify_asan_link_order=0" % os.environ.get(
            "ASAN_OPTIONS", ""), *("%s=%s" % item for item in environment.items())] if library else []

    def run(self):
        """Starts it and waits until it serves; raises BrokerFailed when it ended instead."""
        for attempt in range(3):
            try:
                return self.launch()
            except BrokerFailed as error:
                if attempt == 2 or not self._lost_its_port():
                    raise BrokerFailed("%s\n%s" % (error, self.log_tail(15))) from None

    def _lost_its_port(self):
        """A free port was taken by somebody else before shuntd bound it: then once more."""
        return "Address already in use" in self.log_tail()

    def kill_start(self, seconds):
        """Starts it, and kills it after that time, wherever it is by then."""
        for attempt in range(3):
            self._begin()
            time.sleep(seconds)   # the moment of the kill
            if attempt == 2 or self.process.poll() is None or not self._lost_its_port():
                break
        self.kill()

    def _begin(self):
        """Starts it without waiting for anything."""
        self.log_path = os.path.join(self.directory, "stderr.log")
        self.control_socket = os.path.join(self.directory, "control.sock")
        command = self._command()
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self):
        """SIGKILL; returns the time just before it. A broker that is dead already is a failure."""
        status = self.process.poll()
        if status is not None:
            raise BrokerFailed("shuntd ended by itself with status %d:\n%s" % (status, self.log_tail()))
        moment = time.monotonic()
        self.process.kill()
        self.process.wait()
        self.keep_data()
        self._check_log()
        return moment

    def wait_end(self):
        """After tell_to_end(): it ends with status 0."""
        status = brokers.end_process(self.process, 0, LIMIT_SECONDS)
        self.keep_data()
        self._check_log()
        if status != 0:
            raise BrokerFailed("SIGTERM ended shuntd with status %d:\n%s" % (status, self.log_tail()))

    def _check_log(self):
        with open(self.log_path, "rb") as f:
            report = brokers.SANITIZER_REPORT.search(f.read())
        if report:
            raise BrokerFailed("sanitizer report:\n" + self.log_tail(80))

    def discard(self):
        """Kills it if it runs, and removes its directory."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Rabbit(brokers.RabbitBroker):
    """Debian's RabbitMQ, to check the checks: it is known to lose nothing."""
    rules = RabbitRules
    loops = 1

    def __init__(self, directory):
        super().__init__()
        self.directory = directory
        os.makedirs(directory, exist_ok=True)

    run = brokers.RabbitBroker.launch

    def kill(self):
        moment = time.monotonic()
        self.end(signal.SIGKILL)
        return moment

    def tell_to_end(self):
        self.process.send_signal(signal.SIGTERM)

    def wait_end(self):
        self.end(0)

    def discard(self):
        self.end(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)
