# SPDX-License-Identifier: MIT
"""A broker with scripts."""

import os
import shutil
import tempfile
import textwrap


def write(folder, name, text):
    """The file appears whole, whatever reads it meanwhile."""
    path = os.path.join(folder, name + ".lua")
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(textwrap.dedent(text))
    os.rename(path + ".new", path)
    return path


def serve(t, *options, loops=2, **scripts):
    """A shuntd of the test's own with these scripts, NAME=TEXT, in their order; broker.scripts is their folder."""
    folder = tempfile.mkdtemp(prefix="shunt-scripts-")
    t.cleanup(lambda: shutil.rmtree(folder))
    for name, text in scripts.items():
        write(folder, name, text)
    broker = t.shuntd("scripts.dir=" + folder, *["script=" + name for name in scripts], *options, loops=loops)
    broker.scripts = folder
    return broker


def client_of(t, broker, *queues, confirms=False, **options):
    """A client on channel 1 with these queues."""
    client = t.wire_to(broker, **options)
    for queue in queues:
        client.call(1, "queue.declare", queue=queue)
    if confirms:
        client.call(1, "confirm.select")
    return client


def counts(client, *queues, channel=1):
    """Of queues that nobody consumes: what was published before has arrived."""
    return [client.expect_quiet(channel, queue).message_count for queue in queues]


def wait_for_log(t, broker, text):
    t.wait(lambda: text in broker.log_tail(200), "%r in the log" % text)
