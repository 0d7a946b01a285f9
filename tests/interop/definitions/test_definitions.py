# SPDX-License-Identifier: MIT
"""Definitions in and out: RabbitMQ's file, what is refused, what a crash or a failure leaves."""

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

from lib import broker as brokers
from lib import definitions as rabbitmq
from lib.case import Skip
from lib.definitions_file import (BINDING, CHECKED_IN, EXCHANGE, PERMISSION, POLICY, QUEUE, USER, assert_same,
                                  check_logins, definitions, export, login, write)
from lib.runner import limit, slow
from lib.shuntctl import ctl, only_shunt, shuntctl_of, start_ctl


def check_topology(t, broker):
    """guest may do all there."""
    connection = login(broker, "guest", "guest", "orders")
    channel = connection.channel()
    for name, arguments in rabbitmq.QUEUES.items():
        channel.queue_declare(name, durable=True, arguments=arguments)   # equivalent
    for name, (kind, auto_delete, internal, arguments) in rabbitmq.EXCHANGES.items():
        if not internal:   # those are not in RabbitMQ's file
            channel.exchange_declare(name, kind, durable=True, auto_delete=auto_delete, arguments=arguments)
    channel.basic_publish("by topic", "orders.one.two", b"for plain")
    t.wait_counts(channel, "plain", 1)
    connection.close()


# --- RabbitMQ's file


@limit(90)
def test_file_of_rabbitmq(t):
    only_shunt(t)
    own = t.shuntd()
    done = start_ctl(t, "import_definitions", CHECKED_IN, broker=own)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Importing definitions in JSON from a file at \"%s\" ...\n" % CHECKED_IN), done.stdout
    # its export has bindings of an internal exchange, but not the exchange
    assert "no exchange 'hidden' in vhost 'orders'; left out" in done.stderr, done.stderr
    with open(CHECKED_IN, encoding="utf-8") as f:
        text = f.read()
    assert_same(json.loads(text), export(t, own))
    check_logins(own)
    check_topology(t, own)
    own.end()
    own.launch()
    check_logins(own)
    assert_same(json.loads(text), export(t, own), with_hashes=False)
    # once more: everything is there
    assert start_ctl(t, "import_definitions", CHECKED_IN, broker=own).returncode == 0
    assert_same(json.loads(text), export(t, own))


@slow
@limit(400)
def test_round_trip_with_rabbitmq(t):
    """RabbitMQ -> Shunt -> RabbitMQ -> Shunt."""
    only_shunt(t)
    if not os.path.exists(brokers.RABBITMQ_SERVER):
        raise Skip("RabbitMQ is not installed")
    rabbit = brokers.RabbitBroker()
    rabbit.start()
    t.cleanup(rabbit.stop)
    rabbitmq.fill(lambda *words: ctl(t, *words, broker=rabbit),
                  lambda vhost: login(rabbit, "guest", "guest", vhost))
    path = write(t, "")
    ctl(t, "export_definitions", path, broker=rabbit)
    first = t.shuntd()
    ctl(t, "import_definitions", path, broker=first)
    exported = export(t, first)
    with open(path, encoding="utf-8") as f:
        assert_same(json.load(f), exported)
    ctl(t, "export_definitions", path, broker=first)
    check_logins(first)
    for vhost in rabbitmq.VHOSTS:
        ctl(t, "delete_vhost", vhost, broker=rabbit)
    for user in rabbitmq.USERS:
        ctl(t, "delete_user", user, broker=rabbit)
    ctl(t, "import_definitions", path, broker=rabbit)
    wait_for_queues(t, rabbit, exported)
    check_logins(rabbit)
    back = write(t, "")
    ctl(t, "export_definitions", back, broker=rabbit)
    second = t.shuntd()
    ctl(t, "import_definitions", back, broker=second)
    assert_same(exported, export(t, second))


def wait_for_queues(t, rabbit, exported):
    """RabbitMQ's import goes on when its command has ended."""
    expected = sorted(q["name"] for q in exported["queues"] if q["vhost"] == "orders")
    deadline = time.monotonic() + 60 * t.broker.patience
    while sorted(ctl(t, "-s", "list_queues", "-p", "orders", "name", broker=rabbit).split("\n")[:-1]) != expected:
        assert time.monotonic() < deadline, "RabbitMQ has not made the queues"


@slow
@limit(180)
def test_checked_in_file_is_rabbitmqs(t):
    """Against RabbitMQ itself: what is checked in is what it exports."""
    if not isinstance(t.broker, brokers.RabbitBroker):
        raise Skip("needs RabbitMQ")
    rabbitmq.fill(lambda *words: ctl(t, *words), lambda vhost: login(t.broker, "guest", "guest", vhost))
    path = write(t, "")
    ctl(t, "export_definitions", path)
    with open(path, encoding="utf-8") as f, open(CHECKED_IN, encoding="utf-8") as g:
        made, checked_in = json.load(f), json.load(g)
    for users in (made["users"], checked_in["users"]):
        for user in users:
            user["password_hash"] = len(user["password_hash"])   # the salt is new
    assert sorted(made) == sorted(checked_in)
    assert_same(checked_in, made)


# --- what is refused, with its path


REFUSED = [
    ({"queues": [QUEUE, dict(QUEUE, name="p", vhost="no")]}, "queues[1].vhost: Virtual host 'no' does not exist"),
    ({"queues": [dict(QUEUE, durable="yes")]}, "queues[0].durable: expected true or false"),
    ({"queues": [{"name": "q", "vhost": "v", "durable": True}]}, "queues[0].auto_delete: missing"),
    ({"queues": [{"durable": True, "vhost": "v"}]}, "queues[0].name: missing"),
    ({"queues": [dict(QUEUE, name="x" * 256)]}, "queues[0].name: longer than 255 bytes"),
    ({"queues": [dict(QUEUE, name="")]}, "queues[0].name: empty"),
    ({"queues": [QUEUE, QUEUE]}, "queues[1].name: a second queue of that name"),
    ({"queues": [dict(QUEUE, arguments={"x-expires": 0})]}, "queues[0].arguments.x-expires: PRECONDITION_FAILED"),
    ({"queues": [dict(QUEUE, arguments={"x-message-ttl": "a"})]}, "queues[0].arguments.x-message-ttl: "),
    ({"queues": [dict(QUEUE, arguments={"x-max-length": 5})]}, "queues[0].arguments.x-max-length: NOT_IMPLEMENTED"),
    ({"queues": [dict(QUEUE, arguments={"x-queue-type": "odd"})]}, "queues[0].arguments.x-queue-type: "),
    ({"queues": [dict(QUEUE, type="stream")]}, "queues[0].arguments: NOT_IMPLEMENTED"),
    ({"queues": [dict(QUEUE, arguments={"a": {"b": [1, None]}})]}, "queues[0].arguments.a.b[1]: null"),
    ({"queues": [dict(QUEUE, arguments={"k" * 256: 1})]}, "a name above 255 bytes"),
    ({"queues": [dict(QUEUE, arguments=[1])]}, "queues[0].arguments: expected an object"),
    ({"queues": {"q": 1}}, "queues: expected an array"),
    ({"queues": ["q"]}, "queues[0]: expected an object"),
    ({"kueues": [QUEUE]}, "kueues: an unknown section"),
    ({"exchanges": [dict(EXCHANGE, type="odd")]}, "exchanges[0].type: unknown exchange type 'odd'"),
    ({"exchanges": [dict(EXCHANGE, arguments={"alternate-exchange": 5})]},
     "exchanges[0].arguments.alternate-exchange: PRECONDITION_FAILED"),
    ({"exchanges": [dict(EXCHANGE, type="x-modulus-hash"),
                    dict(EXCHANGE, name="f", type="x-recent-history", arguments={"x-recent-history-length": -1})]},
     "exchanges[1]: PRECONDITION_FAILED"),
    ({"bindings": [dict(BINDING, destination_type="stream")]}, "bindings[0].destination_type: expected queue or"),
    ({"bindings": [dict(BINDING, routing_key=7)]}, "bindings[0].routing_key: expected a text"),
    ({"users": [dict(USER, password_hash="short")]}, "users[0].password_hash: no hash of"),
    ({"users": [dict(USER, hashing_algorithm="rot13")]}, "users[0].hashing_algorithm: expected"),
    ({"users": [dict(USER, limits={"max-queues": 1})]}, "users[0].limits.max-queues: there is no such limit"),
    ({"users": [USER, USER]}, "users[1].name: a second user"),
    ({"users": [dict(USER, tags=5)]}, "users[0].tags: expected"),
    ({"permissions": [dict(PERMISSION, user="no")]}, "permissions[0].user: User 'no' does not exist"),
    ({"permissions": [dict(PERMISSION, read="(")]}, "permissions[0].read: "),
    ({"permissions": [{"user": "guest", "vhost": "v", "configure": "", "write": ""}]}, "permissions[0].read: missing"),
    ({"topic_permissions": [{"user": "guest", "vhost": "v", "exchange": "amq.topic", "write": "[", "read": ""}]},
     "topic_permissions[0].write: "),
    ({"policies": [dict(POLICY, pattern="(")]}, "policies[0].pattern: "),
    ({"policies": [dict(POLICY, definition={})]}, "policies[0].definition: expected an object with"),
    ({"policies": [dict(POLICY, **{"apply-to": "cats"})]}, "policies[0].apply-to: expected all"),
    ({"policies": [dict(POLICY, priority="high")]}, "policies[0].priority: expected a whole number"),
    ({"parameters": [{"vhost": "v", "component": "operator_policy", "name": "o", "value": {"pattern": "("}}]},
     "parameters[0].value.pattern: "),
    ({"parameters": [{"vhost": "v", "component": "vhost-limits", "name": "limits", "value": {"max-cats": 1}}]},
     "parameters[0].value.max-cats: there is no such limit"),
    ({"parameters": [{"vhost": "v", "component": "shovel", "name": "s"}]}, "parameters[0].value: missing"),
    ({"global_parameters": [{"name": "g"}]}, "global_parameters[0].value: missing"),
    ({"vhosts": [{"name": "w"}, {"name": "w"}]}, "vhosts[1].name: a second virtual host"),
    ({"vhosts": [{"name": "w", "limits": {"max-queues": "x"}}]}, "vhosts[0].limits.max-queues: expected a whole"),
    ({"parameters": [{"vhost": "v", "component": "vhost-limits", "name": "limits", "value": {"max-queues": 1}}],
      "queues": [QUEUE, dict(QUEUE, name="p")]}, "queues[1]: queue limit in vhost 'v' (1) would be exceeded"),
    ({"queues": [{"name": "q", "durable": True, "auto_delete": False}]}, "queues[0].vhost: missing"),
]


@limit(180)
def test_refused_with_path(t):
    only_shunt(t)
    own = t.shuntd()
    before = export(t, own)
    for sections, path in REFUSED:
        done = start_ctl(t, "import_definitions", write(t, definitions(**sections)), broker=own)
        assert done.returncode == 65 and path in done.stderr, (path, done.returncode, done.stderr)
    assert export(t, own) == before


@limit(60)
def test_not_json(t):
    only_shunt(t)
    for text in ("{bad", "[" * 1000, "", "[]", "7", "{\"a\": \"\\ud800\"}"):
        done = start_ctl(t, "import_definitions", write(t, text))
        assert done.returncode == 65, (text, done.returncode, done.stderr)
    done = start_ctl(t, "import_definitions", write(t, "{bad"))
    assert "Failed to deserialise input (format: JSON) (error: " in done.stderr, done.stderr


@limit(60)
def test_command_line(t):
    """As rabbitmqctl: what is said, and the statuses."""
    done = start_ctl(t, "import_definitions", "/nonexistent.json")
    assert done.returncode == 65 and "File /nonexistent.json does not exist" in done.stderr, done.stderr
    done = start_ctl(t, "export_definitions", "/nonexistent/x.json")
    assert done.returncode == 65 and "Directory /nonexistent does not exist" in done.stderr, done.stderr
    assert start_ctl(t, "export_definitions").returncode == 64
    assert start_ctl(t, "import_definitions", "a", "b").returncode == 64
    assert start_ctl(t, "import_definitions", "--format", "xml", write(t, {})).returncode == 65
    bad = start_ctl(t, "import_definitions", write(t, "{bad"))
    assert bad.returncode == 65 and "Failed to deserialise input (format: JSON)" in bad.stderr, bad.stderr
    path = write(t, "")
    assert ctl(t, "export_definitions", path) == "Exporting definitions in JSON to a file at \"%s\" ...\n" % path
    assert "users" in json.load(open(path, encoding="utf-8"))
    assert ctl(t, "-q", "export_definitions", path) == ""


@limit(60)
def test_standard_input(t):
    only_shunt(t)
    own = t.shuntd()
    text = json.dumps(definitions(queues=[QUEUE]))
    environment = dict(os.environ, SHUNT_SOCKET=own.control_socket)
    for words in (["import_definitions"], ["import_definitions", "-"]):
        done = subprocess.run([shuntctl_of(own)] + words, env=environment, input=text, capture_output=True, check=True,
                              timeout=t.limit, encoding="utf-8")
        assert done.stdout.startswith("Importing definitions in JSON from standard input ...\n"), done.stdout
    assert [q["name"] for q in export(t, own)["queues"]] == ["q"]


@limit(60)
def test_single_vhost(t):
    only_shunt(t)
    own = t.shuntd()
    ctl(t, "import_definitions", write(t, {"vhosts": [{"name": "v"}]}), broker=own)
    file = write(t, {"queues": [{"name": "q", "durable": True, "auto_delete": False, "arguments": {}}]})
    ctl(t, "import_definitions", "-p", "v", file, broker=own)
    assert [(q["vhost"], q["name"]) for q in export(t, own)["queues"]] == [("v", "q")]
    refused = start_ctl(t, "import_definitions", "-p", "no", file, broker=own)
    assert refused.returncode == 65 and "queues[0].vhost: Virtual host 'no'" in refused.stderr, refused.stderr


@limit(60)
def test_left_out(t):
    """What RabbitMQ leaves out, too; and what Shunt cannot have, when it is told so."""
    only_shunt(t)
    own = t.shuntd()
    file = write(t, definitions(queues=[QUEUE, dict(QUEUE, name="amq.gen-x"),
                                        dict(QUEUE, name="p", arguments={"x-max-length": 5})],
                                exchanges=[dict(EXCHANGE, name="amq.direct")],
                                bindings=[BINDING, dict(BINDING, destination="p")]))
    done = start_ctl(t, "import_definitions", "--skip-unsupported", file, broker=own)
    assert done.returncode == 0, done.stderr
    for line in ("exchanges[0].name: 'amq.direct' is reserved; left out", "queues[1].name: 'amq.gen-x' is reserved",
                 "queues[2]: NOT_IMPLEMENTED", "bindings[1].destination: no queue 'p' in vhost 'v'; left out"):
        assert "Warning: " + line in done.stderr, (line, done.stderr)
    after = export(t, own)
    assert [q["name"] for q in after["queues"]] == ["q"]
    assert [b["destination"] for b in after["bindings"]] == ["q"]


@limit(120)
def test_submitted_unless_unchanged(t):
    """It is the last file that was submitted so which counts, with its options, also after a restart."""
    only_shunt(t)
    own = t.shuntd()
    one = write(t, definitions(users=[USER]))
    queues = [{"name": "q", "durable": True, "auto_delete": False, "arguments": {}}]
    two = write(t, {"vhosts": [{"name": "v"}, {"name": "w"}], "queues": queues})
    refused = write(t, definitions(queues=[dict(QUEUE, vhost="no")]))

    def submit(file, *options):
        done = start_ctl(t, "import_definitions", "--skip-if-unchanged", file, *options, broker=own)
        assert done.returncode == 0, done
        return "Definitions have been imported." in done.stdout

    assert submit(one)
    ctl(t, "set_user_tags", "u", "changed", broker=own)
    assert not submit(one)
    assert submit(two, "-p", "v") and not submit(two, "-p", "v")
    assert submit(two, "-p", "w") and not submit(two, "-p", "w") and submit(two, "-p", "w", "--skip-unsupported")
    assert [u["tags"] for u in export(t, own)["users"] if u["name"] == "u"] == [["changed"]]
    assert start_ctl(t, "import_definitions", "--skip-if-unchanged", refused, broker=own).returncode == 65
    assert not submit(two, "-p", "w", "--skip-unsupported")
    own.end()
    own.launch()
    assert not submit(two, "-p", "w", "--skip-unsupported") and submit(one)
    assert [u["tags"] for u in export(t, own)["users"] if u["name"] == "u"] == [USER["tags"]]
    ctl(t, "set_user_tags", "u", "changed", broker=own)
    ctl(t, "import_definitions", one, broker=own)   # without the option it is done
    assert [u["tags"] for u in export(t, own)["users"] if u["name"] == "u"] == [USER["tags"]]


# --- users' passwords


@limit(60)
def test_passwords(t):
    """In the clear, and Shunt's own hashes: RabbitMQ is told of none of these."""
    only_shunt(t)
    own, other = t.shuntd(), t.shuntd()
    ctl(t, "import_definitions", write(t, definitions(users=[{"name": "clear", "password": "s3cret", "tags": "a, b"}])),
        broker=own)
    ctl(t, "set_permissions", "-p", "v", "clear", "", "", "", broker=own)
    login(own, "clear", "s3cret", "v").close()
    done = start_ctl(t, "-q", "export_definitions", "-", broker=own)
    user = next(u for u in json.loads(done.stdout)["users"] if u["name"] == "clear")
    assert user["password_hash"] == "" and user["tags"] == ["a", "b"], user
    assert "Warning: user \"clear\" is exported without its password" in done.stderr, done.stderr
    ctl(t, "import_definitions", write(t, done.stdout), broker=other)
    login(other, "clear", "s3cret", "v").close()
    # one that says nothing of the password keeps it
    ctl(t, "import_definitions", write(t, {"users": [{"name": "clear", "tags": []}]}), broker=other)
    login(other, "clear", "s3cret", "v").close()
    for name in os.listdir(os.path.join(own.directory, "data")):
        path = os.path.join(own.directory, "data", name)
        if os.path.isfile(path):
            with open(path, "rb") as f:
                assert b"s3cret" not in f.read(), name
    with open(own.log_path, "rb") as f:
        assert b"s3cret" not in f.read()


# --- all or nothing


@limit(90)
def test_undone(t):
    """A binding that the exchange's type refuses is found when everything before it is done."""
    only_shunt(t)
    own = t.shuntd()
    ctl(t, "import_definitions", write(t, definitions(
        users=[dict(USER, tags=["old"])], queues=[QUEUE], policies=[POLICY], bindings=[BINDING],
        permissions=[dict(PERMISSION, user="u", read="old")])), broker=own)
    before = export(t, own)
    done = start_ctl(t, "import_definitions", write(t, definitions(
        vhosts=[{"name": "v", "description": "new"}, {"name": "w"}],
        users=[dict(USER, tags=["new"]), dict(USER, name="u2")],
        permissions=[dict(PERMISSION, user="u", read="new"), dict(PERMISSION, user="u2"),
                     dict(PERMISSION, user="u2", vhost="w")],
        topic_permissions=[{"user": "u2", "vhost": "w", "exchange": "amq.topic", "write": "", "read": ""}],
        policies=[dict(POLICY, priority=9), dict(POLICY, name="p2")],
        parameters=[{"vhost": "w", "component": "vhost-limits", "name": "limits", "value": {"max-queues": 9}}],
        global_parameters=[{"name": "g", "value": 1}],
        exchanges=[EXCHANGE, dict(EXCHANGE, vhost="w")],
        queues=[dict(QUEUE, vhost="w"), dict(QUEUE, name="q2")],
        bindings=[dict(BINDING, routing_key="k2"), dict(BINDING, vhost="w"), dict(BINDING, source="e", destination="q2"),
                  dict(BINDING, source="amq.headers", arguments={"x-match": "odd"})])), broker=own)
    assert done.returncode == 65 and "bindings[3]: PRECONDITION_FAILED" in done.stderr, (done.returncode, done.stderr)
    assert export(t, own) == before
    own.end()
    own.launch()
    assert export(t, own) == before


def many(n):
    return definitions(queues=[dict(QUEUE, name="q%06d" % i) for i in range(n)],
                       bindings=[dict(BINDING, destination="q%06d" % i, routing_key="k%d" % i) for i in range(n)])


def wait_for_line(t, own, text):
    deadline = time.monotonic() + 30 * t.broker.patience
    while True:
        with open(own.log_path, encoding="utf-8", errors="replace") as f:
            if text in f.read():
                return
        assert time.monotonic() < deadline, "not in the log: " + text
        time.sleep(0.005)   # nothing tells when a file has grown


def test_export_that_is_cut_off(t):
    """The file that is there stays as it is, and nothing is left beside it."""
    only_shunt(t)
    folder = tempfile.mkdtemp()
    t.cleanup(lambda: shutil.rmtree(folder))
    path, control = os.path.join(folder, "x.json"), os.path.join(folder, "control")
    with open(path, "w", encoding="utf-8") as f:
        f.write("good")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(control)
        listener.listen()
        listener.settimeout(t.limit)
        exporter = subprocess.Popen([shuntctl_of(t.broker), "-q", "export_definitions", path], stdin=subprocess.DEVNULL,
                                    env=dict(os.environ, SHUNT_SOCKET=control), stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE)
        with listener.accept()[0] as broker:
            assert b"export_definitions" in broker.recv(1000)
            broker.sendall(b'{"value":{"product_name":"Shunt"}}\n["users",{"name":"u"}]\n')
        exporter.communicate(timeout=t.limit)
    assert exporter.returncode == 69, exporter.returncode
    with open(path, encoding="utf-8") as f:
        assert f.read() == "good"
    assert sorted(os.listdir(folder)) == ["control", "x.json"]


@limit(90)
def test_a_damaged_import_does_not_keep_it_from_starting(t):
    """What there is of it is under damaged/, and said; the next start knows of nothing."""
    only_shunt(t)
    own = t.shuntd()
    data = os.path.join(own.directory, "data")
    ctl(t, "declare_queue", "kept", broker=own)
    own.end()
    with contextlib.closing(sqlite3.connect(os.path.join(data, "definitions.db"))) as database:
        database.executemany("INSERT INTO definition VALUES(?, ?, 1)", (
            (b"import/pending", b"scrambled"), (b"import/piece/00000000", b"so, too")))
        database.commit()
    own.launch()
    wait_for_line(t, own, ' E definitions[0]: not loaded: path="(cut off)" reason="it is damaged: what there is of its file '
                          'is copied to %s/damaged/import-' % data)
    assert [q["name"] for q in export(t, own)["queues"]] == ["kept"]
    copies = {os.path.splitext(name)[1]: name for name in os.listdir(os.path.join(data, "damaged"))}
    for ending, content in ((".json", b"so, too"), (".pending", b"scrambled")):
        with open(os.path.join(data, "damaged", copies[ending]), "rb") as f:
            assert f.read() == content
    own.end()
    own.launch()
    with open(own.log_path, encoding="utf-8") as f:
        assert "cut off" not in f.read()


@limit(180)
def test_done_again_after_a_crash(t):
    only_shunt(t)
    own = t.shuntd()
    content = many(4000)
    importer = subprocess.Popen([shuntctl_of(own), "import_definitions", write(t, content)], stdin=subprocess.DEVNULL,
                                env=dict(os.environ, SHUNT_SOCKET=own.control_socket), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
    wait_for_line(t, own, "event=vhost.created")
    own.end(signal.SIGKILL)
    importer.communicate(timeout=t.limit)
    assert importer.returncode == 69, importer.returncode
    own.launch()
    wait_for_line(t, own, "an import was cut off, and is taken up again")
    after = export(t, own)
    assert len(after["queues"]) == 4000 and len(after["bindings"]) == 4000
    own.end()
    own.launch()
    with open(own.log_path, encoding="utf-8") as f:
        assert "cut off" not in f.read()


@limit(120)
def test_stopped_meanwhile(t):
    """SIGTERM ends it as well; the next start goes on."""
    only_shunt(t)
    own = t.shuntd()
    importer = subprocess.Popen([shuntctl_of(own), "import_definitions", write(t, many(4000))], stdin=subprocess.DEVNULL,
                                env=dict(os.environ, SHUNT_SOCKET=own.control_socket), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
    wait_for_line(t, own, "event=vhost.created")
    own.end()
    importer.communicate(timeout=t.limit)
    own.launch()
    assert len(export(t, own)["queues"]) == 4000
