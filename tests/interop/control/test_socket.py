# SPDX-License-Identifier: MIT
"""The control socket: who is let in, what becomes of its file, and what clients may do to it."""

import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import stat
import subprocess
import tempfile

from lib import broker as brokers
from lib.case import Skip
from lib.runner import limit, slow
from lib.shuntctl import ctl, only_shunt, shuntctl_of, start_ctl


def test_socket_is_for_its_user_alone(t):
    only_shunt(t)
    assert stat.S_IMODE(os.stat(t.broker.control_socket).st_mode) == 0o600


def as_nobody(t, broker):
    """shuntctl in the name of another user."""
    if os.geteuid() != 0:
        raise Skip("needs root, to become somebody else")
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", shuntctl_of(broker), "ping", "-q",
                           "--socket", broker.control_socket], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=t.limit, check=False)
    if b"failed to execute" in done.stderr:
        raise Skip("another user cannot run shuntctl where it is")
    return done


def test_other_users_are_refused(t):
    broker = t.shuntd()
    os.chmod(broker.directory, 0o755)
    done = as_nobody(t, broker)
    assert done.returncode == 69 and b"Permission denied" in done.stderr, done
    # somebody has opened the file's mode: the peer's credentials decide
    os.chmod(broker.control_socket, 0o666)
    done = as_nobody(t, broker)
    assert done.returncode == 69 and b"access refused" in done.stderr, done
    assert re.search("W control.*refused: uid=65534 pid=", broker.log_tail())
    ctl(t, "ping", broker=broker)


def refused_shuntd(t, broker, *options):
    """Another shuntd that must not start; (status, output)."""
    command = [t.broker.shuntd, "-o", "listeners.tcp.default=127.0.0.1:%d" % brokers.free_ports(1)[0],
               "-o", "plugins.dir=%s" % t.broker.plugins, "-o", "data_dir=%s/data" % broker.directory,
               "-o", "control.socket=%s" % broker.control_socket]
    for option in options:
        command += ["-o", option]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=t.limit, check=False, encoding="utf-8")
    return done.returncode, done.stdout


def test_second_shuntd_on_the_same_data_directory(t):
    broker = t.shuntd()
    status, output = refused_shuntd(t, broker)
    assert status == 73 and "pid=%d\n" % broker.process.pid in output, (status, output)
    ctl(t, "ping", broker=broker)


def test_second_shuntd_on_the_same_socket(t):
    broker = t.shuntd()
    status, output = refused_shuntd(t, broker, "data_dir=%s/other" % broker.directory)
    assert status != 0 and broker.control_socket in output and "Address already in use" in output, (status, output)
    ctl(t, "ping", broker=broker)


def test_socket_left_behind_is_replaced(t):
    only_shunt(t)
    folder = tempfile.mkdtemp(prefix="shunt-stale-")
    path = os.path.join(folder, "control.sock")
    t.cleanup(lambda: shutil.rmtree(folder))
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
        stale.listen()
    broker = t.shuntd("control.socket=%s" % path)
    broker.control_socket = path
    ctl(t, "ping", broker=broker)


def test_another_file_in_its_place_stays(t):
    broker = t.shuntd()
    path = os.path.join(broker.directory, "precious")
    with open(path, "w", encoding="utf-8") as f:
        f.write("text")
    status, output = refused_shuntd(t, broker, "data_dir=%s/other" % broker.directory, "control.socket=%s" % path)
    assert status != 0 and path in output, (status, output)
    with open(path, encoding="utf-8") as f:
        assert f.read() == "text"


def test_killed_shuntd_leaves_nothing_in_the_way(t):
    broker = t.shuntd()
    broker.was_told_to_end = True
    broker.process.kill()
    broker.process.wait()
    assert os.path.exists(broker.control_socket)
    options = ["-o", "listeners.tcp.default=127.0.0.1:%d" % brokers.free_ports(1)[0],
               "-o", "plugins.dir=%s" % t.broker.plugins, "-o", "data_dir=%s/data" % broker.directory,
               "-o", "control.socket=%s" % broker.control_socket]
    again = subprocess.Popen(broker.wrapper + [broker.shuntd] + options, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        t.wait(lambda: start_ctl(t, "ping", broker=broker).returncode == 0, "the second shuntd")
    finally:
        again.send_signal(signal.SIGTERM)
        status = again.wait(t.limit)
    assert status == 0
    # so that stop() of the first finds what it expects
    broker.process = again


class Raw:
    """A conversation on the control socket by hand."""

    def __init__(self, t, broker):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(t.limit)
        self.socket.connect(broker.control_socket)
        self.file = self.socket.makefile("rb")
        t.cleanup(self.close)

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, *requests):
        self.socket.sendall(b"".join(r if isinstance(r, bytes) else json.dumps(r).encode() + b"\n" for r in requests))

    def answer(self):
        """The lines up to the last one, that one apart."""
        lines = []
        while True:
            line = json.loads(self.file.readline())
            if isinstance(line, dict) and ("ok" in line or "error" in line):
                return lines, line
            lines.append(line)


def test_requests_one_after_the_other(t):
    broker = t.shuntd()
    raw = Raw(t, broker)
    raw.send(*[{"command": "ping"}, {"command": "list_exchanges", "columns": ["name"]}] * 500)
    for _ in range(500):
        lines, last = raw.answer()
        assert last == {"ok": True} and list(lines[0]) == ["value"]
        lines, last = raw.answer()
        assert last == {"ok": True} and lines[0] == {"columns": ["name"]} and [""] in lines


def test_bad_requests(t):
    broker = t.shuntd()
    raw = Raw(t, broker)
    for request, status in ((b"no json\n", 65), (b"\n", 65), (b"[1]\n", 65), (b'{"command":1}\n', 65),
                            (b"\xff\xfe\0\n", 65), (b"[" * 100000 + b"\n", 65),
                            ({"command": "nosuch"}, 64), ({"command": "list_queues", "columns": ["nosuch"]}, 64),
                            ({"command": "list_queues", "columns": [1]}, 64),
                            ({"command": "list_queues", "columns": ["name"] * 1000}, 64),
                            ({"command": "list_queues", "vhost": "x" * 2000 + "é" * 2000}, 65)):
        raw.send(request)
        _, last = raw.answer()
        assert last.get("status") == status, (request, last)
    raw.send({"command": "ping"})
    assert raw.answer()[1] == {"ok": True}


# What the commands look at; "stop" is not for this.
COMMANDS = """
    add_user add_vhost authenticate_user change_password clear_password clear_permissions clear_topic_permissions
    clear_user_limits clear_vhost_limits close_all_connections close_all_user_connections close_connection declare_binding
    declare_exchange declare_queue delete_binding delete_exchange delete_queue delete_user delete_vhost environment
    explain_route export_definitions import_definitions list_bindings list_channels list_connections list_consumers
    list_exchanges list_permissions list_queues list_topic_permissions list_user_limits list_user_permissions
    list_user_topic_permissions list_users list_vhost_limits list_vhosts ping plugin_change plugin_info plugin_list plugin_run
    purge_queue reload rotate_logs script_check set_disk_free_limit set_log_level set_permissions set_topic_permissions set_user_limits
    set_user_tags set_vhost_limits set_vhost_tags set_vm_memory_high_watermark status""".split()
MEMBERS = """
    absolute action arguments auto_delete category columns configure connection_pid default_queue_type definition description
    destination destination_type durable exchange explanation fraction global hash headers if_empty if_unused internal level
    limit mem_relative name password per_connection_delay percent properties queue queue_name read routing_key size
    settings skip_unsupported source tags type user username vhost where write""".split()
GOOD = {"vhost": "/", "user": "guest", "exchange": "amq.topic", "source": "amq.topic", "destination": "q", "queue": "q",
        "queue_name": "q", "columns": ["name"]}
ODD = (None, True, 5, -1, 1.5, 1e308, 2 ** 63 - 1, "", "\u00e9\n", "x" * 300, "y" * 10000, [], {}, [1, None, "a", []],
       {"a": 1}, {"x-max-length": {"a": [{"b": 1}]}}, '{"max-queues":"5"}', "[" * 5000)


def odd_requests():
    """Each command with the odd value everywhere, and with good ones where that gets it further."""
    deep = "x"
    for _ in range(400):
        deep = [deep]
    for command in COMMANDS:
        for value in ODD + (deep,):
            yield dict({member: value for member in MEMBERS}, command=command)
            yield dict({member: value for member in MEMBERS}, **GOOD, command=command)


@limit(180)
def test_values_of_other_types(t):
    """Whatever comes, there is one answer to it, and nothing breaks."""
    broker = t.shuntd()
    raw = Raw(t, broker)
    ctl(t, "add_vhost", "tagged", "--tags", "a,b", broker=broker)
    for tags in ("c", None, {"c": 1}, ["c", 1]):
        raw.send({"command": "set_vhost_tags", "vhost": "tagged", "tags": tags})
        assert raw.answer()[1]["status"] == 64
    assert "tagged\t[a, b]" in ctl(t, "list_vhosts", "name", "tags", "-s", broker=broker)
    raw.send({"command": "set_log_level", "level": "none", "category": 7})
    assert raw.answer()[1]["status"] == 65
    for request in odd_requests():
        raw.send(request)
        line = json.loads(raw.file.readline())
        if line == {"ready": True}:
            raw.send(b"x" * request["size"])
            line = {}
        if "ok" not in line and "error" not in line:
            raw.answer()
    raw.send({"command": "ping"})
    assert raw.answer()[1] == {"ok": True}


@limit(120)
def test_client_that_asks_without_reading(t):
    """It is not read from any more, and goes on when it reads."""
    broker = t.shuntd()
    raw = Raw(t, broker)
    request = b'{"command":"environment"}\n'
    many = request * 4000
    sent = 0
    while select.select([], [raw.socket], [], 3)[1]:
        assert sent < 3 << 20, "it reads on and on"
        sent += raw.socket.send(many[sent % len(request):])
    for _ in range(sent // len(request)):
        assert raw.answer()[1] == {"ok": True}
    ctl(t, "ping", broker=broker)


def test_request_without_end(t):
    broker = t.shuntd()
    raw = Raw(t, broker)
    try:
        for _ in range(64):
            raw.send(bytes(1 << 16))
        assert raw.file.read() == b""
    except (BrokenPipeError, ConnectionResetError):
        pass
    ctl(t, "ping", broker=broker)


def resident_bytes(process):
    with open("/proc/%d/statm" % process.pid, encoding="ascii") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


@slow
@limit(60)
def test_client_that_does_not_read_its_list(t):
    """It costs what fits into the socket and a slice or two, and gets the rest when it reads."""
    broker = t.shuntd()
    client = t.wire_to(broker)
    count = 4000
    for i in range(count):
        client.send(1, "queue.declare", queue="%05d" % i + "x" * 250, nowait=True)
    client.call(1, "queue.declare", queue="%05d" % 0 + "x" * 250)
    before = resident_bytes(broker.process)
    raws = [Raw(t, broker) for _ in range(8)]
    for raw in raws:
        raw.send({"command": "list_queues", "columns": ["name"] * 40})
    ctl(t, "list_queues", "-q", broker=broker)   # meanwhile others are served
    # a list is 40 MB
    assert resident_bytes(broker.process) - before < (30 << 20) * (10 if t.broker.patience > 1 else 1)
    lines, last = raws[0].answer()
    assert len(lines) == count + 1 and last == {"ok": True}
    raws[1].close()
    client.call(1, "queue.delete", queue="%05d" % 0 + "x" * 250)
    ctl(t, "ping", broker=broker)


def test_out_of_file_descriptors(t):
    """Then shuntctl is needed most: clients leave some descriptors to others."""
    broker = t.shuntd(wrapper=["/bin/sh", "-c", 'ulimit -n 64; exec "$0" "$@"'])
    crowd = [t.knock(broker) for _ in range(80)]
    t.wait(lambda: "accepting connections rests" in broker.log_tail(), "the last descriptor to be taken")
    for _ in range(3):
        ctl(t, "ping", broker=broker)
        assert '"connection_count":' in ctl(t, "status", "--formatter", "json", broker=broker)
    at_once = [Raw(t, broker) for _ in range(3)]
    for raw in at_once:
        raw.send({"command": "ping"})
        assert raw.answer()[1] == {"ok": True}
    ctl(t, "ping", broker=broker)
    for client in crowd:
        client.close_socket()
    t.wire_to(broker)


def test_listing_while_everything_changes(t):
    """Queues and connections come and go under the list."""
    broker = t.shuntd(loops=4)
    client = t.wire_to(broker)
    for i in range(50):
        for j in range(40):
            client.send(1, "queue.declare", queue="%d.%d" % (i, j), nowait=True)
        other = t.wire_to(broker)
        raw = Raw(t, broker)
        raw.send({"command": "list_queues"}, {"command": "list_bindings"}, {"command": "list_connections"},
                 {"command": "list_consumers"})
        for j in range(40):
            client.send(1, "queue.delete", queue="%d.%d" % (i, j), nowait=True)
        if i % 2:
            other.close_socket()
        if i % 3:
            for _ in range(4):
                assert raw.answer()[1] == {"ok": True}
        raw.close()
    client.call(1, "queue.declare", queue="last")
    assert ctl(t, "list_queues", "-s", "name", broker=broker) == "last\n"


def test_sigterm_with_clients_of_the_socket(t):
    """One idle, one in the midst of a list: the broker ends."""
    broker = t.shuntd()
    client = t.wire_to(broker)
    for i in range(400):
        client.send(1, "queue.declare", queue="%d" % i + "x" * 200, nowait=True)
    client.call(1, "queue.declare", queue="last")
    idle, busy = Raw(t, broker), Raw(t, broker)
    idle.send(b'{"comm')
    busy.send({"command": "list_queues", "columns": ["name"] * 40})
    assert busy.file.readline()
    client.close_socket()
    broker.tell_to_end()
    assert broker.process.wait(10 * t.broker.patience) == 0
    assert idle.file.read() == b""
