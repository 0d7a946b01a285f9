# SPDX-License-Identifier: MIT
"""RabbitMQ's seven tutorials and one with headers: scripts as a user of pika writes them, in processes of their own.

The scripts connect to localhost and know nothing of the test; at_port.py tells pika where AMQP's usual port is, and
that TLS is spoken there."""

import os
import re
import signal

from lib import process
from lib.runner import limit

FOLDER = os.path.dirname(os.path.abspath(__file__))


def command(t, script, *arguments):
    return [process.PYTHON, os.path.join(FOLDER, "at_port.py"), str(t.broker.port),
            os.path.join(FOLDER, "scripts", script), *arguments]


def start(t, script, *arguments):
    return process.Program(t, command(t, script, *arguments))


def run(t, script, *arguments):
    return start(t, script, *arguments).wait_end()


def receiver(t, script, *arguments):
    """One that has bound its queue."""
    program = start(t, script, *arguments)
    program.wait_line(r"^ \[\*\] ")
    return program


def heard(program):
    """What a receiver printed of messages till it was interrupted."""
    program.send_signal(signal.SIGINT)
    return [line[5:] for line in program.wait_end(status=None) if line.startswith(" [x] ")]


@limit(40)
def test_1_hello_world(t):
    t.owns("hello")
    run(t, "send.py")                       # the queue keeps it for the receiver to come
    program = receiver(t, "receive.py")
    program.wait_line(r"^ \[x\] Heard 'Good morning!'$")
    assert run(t, "send.py") == [" [x] Said 'Good morning!'"]
    program.wait_line(r"^ \[x\] Heard 'Good morning!'$")
    assert program.interrupt()[-1] == "Interrupted"


@limit(40)
def test_2_work_queue(t):
    t.owns("task_queue")
    workers = [receiver(t, "worker.py") for _ in range(2)]
    run(t, "new_task.py", "takes", "long" + "." * 300)
    busy = wait_any(t, workers, "Began 'takes long")
    free = workers[1 - workers.index(busy)]
    for number in range(4):
        run(t, "new_task.py", "task", str(number))
        free.wait_line("Finished 'task %d'" % number)
    busy.kill()                             # its task goes to the one that lives
    free.wait_line("Began 'takes long")


def wait_any(t, programs, pattern):
    """The first of the programs that printed it."""
    found = []

    def look():
        for program in programs:
            if program.has_said(pattern):
                found.append(program)
        return found
    t.wait(look, pattern)
    return found[0]


@limit(40)
def test_3_publish_subscribe(t):
    t.owns("logs")
    run(t, "emit_log.py", "nobody", "listens")
    first, second = (receiver(t, "receive_logs.py") for _ in range(2))
    names = [re.search(r"with (\S+)\.", p.lines[-1]).group(1) for p in (first, second)]
    assert len(set(names)) == 2 and all(re.match(r"amq\.gen-[\w-]{22}$", name) for name in names)
    assert run(t, "emit_log.py") == [" [x] Logged 'info: all is well'"]
    run(t, "emit_log.py", "second", "line")
    for program in (first, second):
        program.wait_line("'second line'")
        assert heard(program) == ["'info: all is well'", "'second line'"]
    run(t, "emit_log.py", "both are gone")


@limit(40)
def test_4_routing(t):
    t.owns("direct_logs")
    errors = receiver(t, "receive_logs_direct.py", "error")
    everything = receiver(t, "receive_logs_direct.py", "info", "warning", "error")
    run(t, "emit_log_direct.py", "info", "begin")
    run(t, "emit_log_direct.py", "debug", "nobody wants this")
    run(t, "emit_log_direct.py", "error", "it", "burns")
    run(t, "emit_log_direct.py", "warning", "end")
    run(t, "emit_log_direct.py", "error", "really the end")
    for program in (errors, everything):
        program.wait_line("really the end")
    assert heard(errors) == ["'error':'it burns'", "'error':'really the end'"]
    assert heard(everything) == ["'info':'begin'", "'error':'it burns'", "'warning':'end'", "'error':'really the end'"]


@limit(60)
def test_5_topics(t):
    t.owns("topic_logs")
    patterns = {"#": 5, "kern.*": 2, "*.critical": 2, "kern.*|*.critical": 3, "kern": 1, "kern.#": 4}
    receivers = {key: receiver(t, "receive_logs_topic.py", *key.split("|")) for key in patterns}
    for key in ("kern.critical", "kern.info", "cron.critical", "kern", "kern.disk.full"):
        run(t, "emit_log_topic.py", key, "about", key)
    for key, count in patterns.items():
        program = receivers[key]
        for _ in range(count):
            program.wait_line("'about ")
        assert len(heard(program)) == count, "%s got %r" % (key, program.lines)


@limit(40)
def test_6_rpc(t):
    t.owns("rpc_queue")
    server = start(t, "rpc_server.py")
    server.wait_line("Ready for questions")
    clients = [(start(t, "rpc_client.py", str(n)), answer) for n, answer in ((12, 144), (10, 55), (1, 1))]
    for client, answer in clients:
        assert client.wait_end()[-1] == " [.] Got %d" % answer
    server.wait_line("computing")
    second = start(t, "rpc_server.py")
    second.wait_line("Ready for questions")
    server.kill()
    assert run(t, "rpc_client.py", "20")[-1] == " [.] Got 6765"


@limit(40)
def test_7_publisher_confirms(t):
    assert run(t, "publisher_confirms.py") == [
        " [x] one by one: 1000 confirmed, 1000 in the queue",
        " [x] came back: 'lost?'",
        " [x] as a stream: 1000 confirmed, 0 refused, 1000 in the queue",
    ]


@limit(40)
def test_8_headers(t):
    t.owns("header_logs")
    both = receiver(t, "receive_logs_header.py", "all", "format=pdf", "type=report")
    either = receiver(t, "receive_logs_header.py", "any", "format=pdf", "type=report")
    run(t, "emit_log_header.py", "first", "format=pdf")
    run(t, "emit_log_header.py", "second", "format=zip", "type=log")
    run(t, "emit_log_header.py", "third", "format=pdf", "type=report", "by=me")
    for program in (both, either):
        program.wait_line("'third'")
    assert heard(both) == ["'third' with [('by', 'me'), ('format', 'pdf'), ('type', 'report')]"]
    assert heard(either) == ["'first' with [('format', 'pdf')]",
                             "'third' with [('by', 'me'), ('format', 'pdf'), ('type', 'report')]"]


@limit(40)
def test_distrust(t):
    process.distrust(t, *command(t, "send.py"))
