# SPDX-License-Identifier: MIT
"""The broker under test: a shuntd of our own, a private RabbitMQ of Debian's, or one that runs already."""

import errno
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

from . import certificates
from . import wire

RABBITMQ_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
# with the exchange types that Shunt ships too
RABBITMQ_PLUGINS = ("rabbitmq_consistent_hash_exchange", "rabbitmq_random_exchange",
                    "rabbitmq_recent_history_exchange", "rabbitmq_sharding")
SANITIZER_REPORT = re.compile(
    rb"(ERROR: \w*Sanitizer|WARNING: ThreadSanitizer|runtime error:|SUMMARY: \w*Sanitizer)")


class BrokerFailed(Exception):
    """The broker did not start, died, or did not stop as it should."""


def _ephemeral_start():
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
            return int(f.read().split()[0])
    except OSError:
        return 32768


def free_ports(count):
    """Port numbers of 127.0.0.1 that nobody listens on at this moment. None of those that outgoing connections get: one
    of them would take it before the broker does."""
    first, end = 10000, max(_ephemeral_start(), 11000)
    sockets = []
    try:
        while len(sockets) < count:
            s = socket.socket()
            try:
                s.bind(("127.0.0.1", random.randrange(first, end)))
            except OSError as error:
                s.close()
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise
                continue
            sockets.append(s)
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def listens_on(pid, port):
    """Whether this process, and no other, has the socket that listens on 127.0.0.1:port."""
    folder = "/proc/%d/fd" % pid
    try:
        with open("/proc/%d/net/tcp" % pid, encoding="ascii") as f:
            rows = [line.split() for line in f.readlines()[1:]]
        names = os.listdir(folder)
    except OSError:   # it has ended
        return False
    inodes = {"socket:[%s]" % row[9] for row in rows if row[1] == "0100007F:%04X" % port and row[3] == "0A"}
    for name in names:
        try:
            if os.readlink(os.path.join(folder, name)) in inodes:
                return True
        except OSError:   # closed meanwhile
            continue
    return False


def wait_until_serving(host, port, process, limit, **options):
    """Returns once the broker answers an AMQP header with connection.start."""
    deadline = time.monotonic() + limit
    while True:
        if process is not None and process.poll() is not None:
            raise BrokerFailed("the broker ended with status %s" % process.returncode)
        try:
            with wire.Client(host, port, limit=5, **options) as client:
                client.send_protocol_header()
                client.read_method("connection.start")
                return
        except (OSError, wire.Closed, AssertionError) as error:
            if time.monotonic() > deadline:
                raise BrokerFailed("the broker does not serve: %s" % error) from error
            # nothing to wait on: there is no event for "somebody listens now"
            time.sleep(0.02)


def end_process(process, signum, limit):
    """Sends the signal (0: none), waits, returns the exit status; a process that stays is killed."""
    if process.poll() is None and signum:
        process.send_signal(signum)
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise BrokerFailed("the broker did not end within %d s" % limit) from None


class Broker:
    """What the tests know of a broker."""
    kind = "unknown"   # shunt, rabbitmq-3 or rabbitmq-4
    host = "127.0.0.1"
    port = 5672
    user = "guest"
    password = "guest"
    vhost = "/"
    patience = 1.0   # all time limits are multiplied by it
    process = None
    log_path = None
    control_socket = None
    authority = None   # whose certificate it shows, and TLS is all that it speaks; None: it is plain
    tls = None   # what clients of Python's then need (an ssl.SSLContext)
    checked_end = False   # whether stop() checks that the broker ends as it should

    def start(self):
        pass

    def stop(self):
        """Stops the broker; raises BrokerFailed when it is not as it should be."""

    def url(self, host=None, port=None, password=None, vhost="%2F"):
        """For clients that are told by a URL where it is."""
        return "%s://%s:%s@%s:%d/%s" % ("amqps" if self.authority else "amqp", self.user, password or self.password,
                                        host or self.host, port or self.port, vhost)

    def make_certificates(self):
        """For a broker that is to speak TLS, and was given no authority to show a certificate of."""
        if self.authority is None:
            self.authority = certificates.Authority(os.path.join(self.directory, "certificates"))
            self.authority.sign("server", "/CN=" + certificates.HOST)
        self.tls = self.authority.context()

    def log_tail(self, lines=40):
        if not self.log_path or not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, "rb") as f:
            return b"\n".join(f.read().splitlines()[-lines:]).decode("utf-8", "replace")


class ShuntBroker(Broker):
    kind = "shunt"
    checked_end = True

    def __init__(self, shuntd, plugins, loops=2, options=(), wrapper=(), is_tls=False, authority=None, header=b"",
                 source=None):
        self.shuntd = shuntd
        self.plugins = plugins
        self.loops = loops
        self.options = list(options)
        self.wrapper = list(wrapper)
        self.is_tls, self.authority = is_tls or authority is not None, authority
        self.header, self.source = header, source   # with what, and from where, we look whether it serves
        self.directory = None
        self.was_told_to_end = False

    def start(self):
        self.directory = tempfile.mkdtemp(prefix="shunt-interop-")
        if self.is_tls:
            self.make_certificates()
        # a free port may be taken by somebody else before shuntd binds it: then once more
        for attempt in range(3):
            try:
                return self.launch()
            except BrokerFailed as error:
                tail = self.log_tail()
                if attempt == 2 or "in use" not in tail + str(error):
                    shutil.rmtree(self.directory, ignore_errors=True)
                    raise BrokerFailed("shuntd did not start:\n%s" % tail) from None

    def _listeners(self):
        """With TLS there is no plain port at all, so that whoever gets in has spoken it."""
        default_port, self.port = free_ports(2)
        if self.is_tls:
            return ["listeners.tcp=none", "listeners.ssl.1=127.0.0.1:%d" % self.port, *self.authority.options()]
        return ["listeners.tcp.default=%d" % default_port, "listeners.tcp.1=127.0.0.1:%d" % self.port]

    def _command(self):
        options = self._listeners() + [
            "data_dir=%s" % os.path.join(self.directory, "data"),
            "loops=%d" % self.loops,
            "control.socket=%s" % self.control_socket,
            # a hundred clients that one thread of ours leads in take their time on a busy machine
            "handshake_timeout=120000",
        ]
        if self.plugins:
            options.append("plugins.dir=%s" % self.plugins)
        command = self.wrapper + [self.shuntd]
        for option in options + self.options:
            command += ["-o", option]
        return command

    def launch(self):
        """Starts it in its directory, where data of an earlier run may be."""
        self.was_told_to_end = False
        self.log_path = os.path.join(self.directory, "stderr.log")
        self.control_socket = os.path.join(self.directory, "control.sock")
        command = self._command()
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until_serving(self.host, self.port, self.process, limit=60 * self.patience, tls=self.tls,
                               header=self.header, source=self.source)
            if not listens_on(self.process.pid, self.port):
                raise BrokerFailed("the port is in use by another process")
        except BaseException:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            raise

    def tell_to_end(self):
        """SIGTERM, without waiting; stop() still checks how it ended."""
        self.was_told_to_end = True
        self.process.send_signal(signal.SIGTERM)

    def end(self, signum=signal.SIGTERM):
        """Ends it, and leaves its directory for launch(); unless it is killed, it must end as it should."""
        try:
            if signum == signal.SIGKILL:
                end_process(self.process, signum, limit=10)
            else:
                self._stop_checked()
        finally:
            self.process = None

    def stop(self):
        try:
            if self.process is not None:
                self.end()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _stop_checked(self):
        problems = []
        try:
            if self.process.poll() is not None and not self.was_told_to_end:
                problems.append("shuntd died: status %s" % self.process.returncode)
            elif not self.was_told_to_end:
                self.tell_to_end()
            status = end_process(self.process, 0, limit=60 * self.patience)
            if status != 0 and not problems:
                problems.append("SIGTERM ended shuntd with status %s" % status)
        except BrokerFailed as error:
            problems.append(str(error))
        with open(self.log_path, "rb") as f:
            output = f.read()
        report = SANITIZER_REPORT.search(output)
        if report:
            problems.append("sanitizer report:\n" + output[report.start():][:8000].decode("utf-8", "replace"))
        if problems:
            raise BrokerFailed("\n".join(problems) + "\nlast lines of its log:\n" + self.log_tail())


class RabbitBroker(Broker):
    """Debian's RabbitMQ with directories, ports, node name and epmd of its own."""
    kind = "rabbitmq-3"

    def __init__(self, is_tls=False):
        self.is_tls = is_tls
        self.directory = None
        self.epmd = None
        self.environment = None   # for rabbitmqctl

    def start(self):
        self.directory = tempfile.mkdtemp(prefix="shunt-rabbitmq-")
        if self.is_tls:
            self.make_certificates()
        self.launch()

    def launch(self):
        """Starts it in its directory, where data of an earlier run may be."""
        self.port, distribution_port, epmd_port = free_ports(3)
        self.log_path = os.path.join(self.directory, "output.log")
        configuration = os.path.join(self.directory, "rabbitmq.conf")
        with open(configuration, "w", encoding="ascii") as f:
            if self.is_tls:
                f.write("\n".join(["listeners.tcp = none", *self.authority.options()]) + "\n")
            f.write("listeners.%s.1 = 127.0.0.1:%d\n" % ("ssl" if self.is_tls else "tcp", self.port))
            f.write("log.file.level = info\n")
            f.write("vm_memory_high_watermark.relative = 0.4\ndisk_free_limit.absolute = 1MB\n")
        enabled = os.path.join(self.directory, "enabled_plugins")
        with open(enabled, "w", encoding="ascii") as f:
            f.write("[%s].\n" % ",".join(RABBITMQ_PLUGINS))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": self.directory,
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "shuntinterop%d@localhost" % os.getpid(),
            "RABBITMQ_MNESIA_BASE": os.path.join(self.directory, "mnesia"),
            "RABBITMQ_LOG_BASE": os.path.join(self.directory, "log"),
            "RABBITMQ_CONFIG_FILE": configuration,
            "RABBITMQ_ENABLED_PLUGINS_FILE": enabled,
            "RABBITMQ_GENERATED_CONFIG_DIR": os.path.join(self.directory, "config"),
            "RABBITMQ_CONF_ENV_FILE": os.path.join(self.directory, "none.conf"),
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false",
            # makes the start script exec the runtime: the child is then the broker itself
            "detached": "true",
        }
        self.environment = {name: value for name, value in environment.items()
                            if name not in ("detached", "RABBITMQ_DIST_PORT", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS")}
        with open(self.log_path, "wb") as log:
            self.epmd = subprocess.Popen(["epmd", "-port", str(epmd_port), "-address", "127.0.0.1"],
                                         env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self.process = subprocess.Popen([RABBITMQ_SERVER], env=environment, cwd=self.directory,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until_serving(self.host, self.port, self.process, limit=90, tls=self.tls)
        except BaseException:
            tail = self.log_tail()
            self.stop()
            raise BrokerFailed("RabbitMQ did not start:\n%s" % tail) from None

    def end(self, signum):
        """Ends it, and leaves its directory."""
        try:
            if self.process is not None:
                end_process(self.process, signum, limit=60)
        finally:
            self.process = None
            if self.epmd is not None:
                end_process(self.epmd, signal.SIGTERM, limit=10)
                self.epmd = None

    def stop(self):
        try:
            self.end(signal.SIGTERM)
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


class RunningBroker(Broker):
    """One that runs already, named by amqp://user:password@host:port/vhost."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.host = parts.hostname or "127.0.0.1"
        self.port = parts.port or 5672
        self.user = urllib.parse.unquote(parts.username or "guest")
        self.password = urllib.parse.unquote(parts.password or "guest")
        self.vhost = urllib.parse.unquote(parts.path[1:]) or "/"

    def start(self):
        with wire.Client(self.host, self.port, limit=10) as client:
            client.send_protocol_header()
            start = client.read_method("connection.start")
        properties = wire.decode_table(start.server_properties)
        if properties.get("product") == "RabbitMQ":
            self.kind = "rabbitmq-" + properties.get("version", "4").split(".")[0]
        else:
            self.kind = "shunt"
