# SPDX-License-Identifier: MIT
"""Definitions that a start imports: load_definitions, and what it makes of a file that is refused."""

import json
import os
import re
import shutil
import subprocess
import tempfile

from lib import broker as brokers
from lib import definitions as rabbitmq
from lib.definitions_file import (CHECKED_IN, PERMISSION, QUEUE, USER, assert_same, check_logins, definitions, export,
                                  login, write)
from lib.runner import limit
from lib.shuntctl import ctl, only_shunt


@limit(90)
def test_load_definitions(t):
    only_shunt(t)
    own = t.shuntd("load_definitions=" + CHECKED_IN)
    with open(CHECKED_IN, encoding="utf-8") as f:
        assert_same(json.load(f), export(t, own))
    check_logins(own)
    other = t.shuntd("definitions.import_backend=local_filesystem", "definitions.local.path=" + CHECKED_IN)
    login(other, "alice", rabbitmq.USERS["alice"][0], "orders").close()


@limit(90)
def test_load_directory(t):
    only_shunt(t)
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("2.json", {"queues": [QUEUE]}), ("1.json", definitions(users=[USER])), ("x.txt", "no")):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(content if isinstance(content, str) else json.dumps(content))
        own = t.shuntd("load_definitions=" + folder)
        after = export(t, own)
    assert [u["name"] for u in after["users"]] == ["u"]   # and no default user
    assert [v["name"] for v in after["vhosts"]] == ["v"]
    assert [q["name"] for q in after["queues"]] == ["q"]


@limit(120)
def test_skip_if_unchanged(t):
    only_shunt(t)
    path = write(t, definitions(users=[USER], permissions=[dict(PERMISSION, user="u")]))
    own = t.shuntd("load_definitions=" + path, "definitions.skip_if_unchanged=true")
    ctl(t, "set_user_tags", "u", "changed", broker=own)
    for content, tags in ((None, ["changed"]), (definitions(users=[dict(USER, tags=["file"])]), ["file"])):
        own.end()
        if content:
            with open(path, "w", encoding="utf-8") as f:
                json.dump(content, f)
        own.launch()
        assert [u["tags"] for u in export(t, own)["users"]] == [tags], tags


@limit(60)
def test_what_the_check_sees_of_definitions(t):
    """--check-config refuses what no broker takes, and takes what depends on it."""
    only_shunt(t)

    def check(path):
        done = subprocess.run([t.broker.shuntd, "-o", "load_definitions=" + path, "-o", "plugins.dir=%s" % t.broker.plugins,
                               "--check-config"], capture_output=True, timeout=t.limit, check=False, encoding="utf-8")
        return done.returncode, [line for line in done.stderr.splitlines() if " E " in line]

    good, elsewhere = write(t, definitions(users=[USER])), write(t, definitions(queues=[dict(QUEUE, vhost="there")]))
    bad = write(t, definitions(queues=[dict(QUEUE, arguments={"x-expires": -1})]))
    folder = tempfile.mkdtemp(prefix="shunt-interop-")
    t.cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    for path in (good, elsewhere, folder):
        assert check(path) == (0, []), path
    shutil.copy(good, os.path.join(folder, "1.json"))
    assert check(folder) == (0, [])
    with open(os.path.join(folder, "2.json"), "w", encoding="utf-8") as f:
        f.write("{")
    for path, text in ((folder, '"%s/2.json" reason="Failed to deserialise input' % folder),
                       (os.path.join(folder, "none"), "cannot read the file: No such file or directory"),
                       (bad, 'reason="queues[0].arguments.x-expires: PRECONDITION_FAILED')):
        status, lines = check(path)
        assert status == 78 and len(lines) == 1 and text in lines[0], (status, lines)


@limit(90)
def test_start_refused(t):
    only_shunt(t)
    for path, text in ((write(t, definitions(queues=[dict(QUEUE, vhost="no")])), "queues[0].vhost: Virtual host 'no'"),
                       ("/nonexistent.json", "cannot read the file: No such file or directory")):
        own = brokers.ShuntBroker(t.broker.shuntd, t.broker.plugins, 2, ["load_definitions=" + path])
        try:
            own.start()
        except brokers.BrokerFailed as failed:
            assert text in str(failed), failed
        else:
            own.stop()
            raise AssertionError("it started")
        command = [t.broker.shuntd]
        with tempfile.TemporaryDirectory() as folder:
            for option in ("load_definitions=" + path, "data_dir=" + folder, "listeners.tcp=none",
                           "control.socket=" + os.path.join(folder, "c"), "plugins.dir=%s" % t.broker.plugins):
                command += ["-o", option]
            done = subprocess.run(command, capture_output=True, timeout=t.limit, check=False)
        assert done.returncode == 78 and re.search(re.escape(text).encode(), done.stderr), (done.returncode, done.stderr)
