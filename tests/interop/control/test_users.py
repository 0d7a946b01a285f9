# SPDX-License-Identifier: MIT
"""Users and permissions by shuntctl, as a client then meets them."""

import base64
import hashlib
import json
import os
import pty
import re
import select
import socket
import subprocess
import threading

import pika
import pika.exceptions

from lib.case import Skip
from lib.runner import limit, slow
from lib.shuntctl import ctl, only_shunt, shuntctl_of, start_ctl


def new_user(t, password="secret", broker=None):
    """A user of this test's own."""
    user = t.name("u")
    ctl(t, "add_user", user, password, broker=broker)
    t.cleanup(lambda: start_ctl(t, "delete_user", user, broker=broker))
    return user


def connect_as(t, user, password):
    return t.connect(credentials=pika.PlainCredentials(user, password))


@limit(60)
def test_a_new_user(t):
    """The first minutes of an operator: add a user, tag it, permit it, connect."""
    user = t.name("lqz")
    t.cleanup(lambda: start_ctl(t, "delete_user", user))
    assert ctl(t, "add_user", user, "123") == (
        'Adding user "%s" ...\nDone. Don\'t forget to grant the user permissions to some virtual hosts! See '
        "'%s help set_permissions' to learn more.\n" % (user, "shuntctl" if t.shunt else "rabbitmqctl"))
    assert ctl(t, "set_user_tags", user, "administrator") == (
        'Setting tags for user "%s" to [administrator] ...\n' % user)
    try:
        connect_as(t, user, "123")
    except pika.exceptions.ProbableAccessDeniedError as error:   # what pika makes of a 530 here
        assert "(530) \"NOT_ALLOWED - access to vhost '/' refused for user '%s'\"" % user in str(error), error
    else:
        raise AssertionError("it may enter without permissions")
    assert ctl(t, "set_permissions", "-p", "/", user, ".*", ".*", ".*") == (
        'Setting permissions for user "%s" in vhost "/" ...\n' % user)
    channel = connect_as(t, user, "123").channel()
    queue = t.queue(channel)
    channel.basic_publish("", queue, b"hello")
    assert t.get(channel, queue)[2] == b"hello"
    try:
        connect_as(t, user, "1234")
    except pika.exceptions.ProbableAuthenticationError as error:
        assert "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN." in str(error), error
    else:
        raise AssertionError("a wrong password is good enough")


@limit(60)
def test_permissions_that_are_not_given(t):
    user = new_user(t)
    ctl(t, "set_permissions", user, "^mine-", "^$", "^$")
    channel = connect_as(t, user, "secret").channel()
    with t.channel_closed(403, "ACCESS_REFUSED - %s to queue 'other' in vhost '/' refused for user '%s'"
                          % ("configure access" if t.shunt else "access", user),
                          rabbit3="ACCESS_REFUSED - access to queue 'other' in vhost '/' refused for user '%s'" % user):
        channel.queue_declare("other")


@limit(60)
def test_a_changed_password(t):
    user = new_user(t)
    ctl(t, "set_permissions", user, ".*", ".*", ".*")
    connect_as(t, user, "secret").close()
    ctl(t, "change_password", user, "better")
    connect_as(t, user, "better").close()
    ctl(t, "authenticate_user", user, "better")
    ctl(t, "authenticate_user", user, "secret", status=65)
    ctl(t, "clear_password", user)
    ctl(t, "authenticate_user", user, "better", status=65)


# --- Passwords


def rabbit_hash(password, salt=b"salt", algorithm="sha256"):
    return base64.b64encode(salt + hashlib.new(algorithm, salt + password.encode()).digest()).decode()


def test_hash_password(t):
    only_shunt(t)
    texts = {ctl(t, "hash_password", "-q", "secret").rstrip("\n") for _ in range(3)}
    assert len(texts) == 3, texts   # each with a salt of its own
    for text in texts:
        assert text == rabbit_hash("secret", base64.b64decode(text)[:4])
    done = subprocess.run([shuntctl_of(t.broker), "hash_password"], input="from stdin\n", stdout=subprocess.PIPE,
                          timeout=t.limit, check=True, encoding="utf-8")
    assert done.stdout.startswith("Will hash provided password\nPassword: \n"), done
    text = done.stdout.split("\n")[2]
    assert text == rabbit_hash("from stdin", base64.b64decode(text)[:4])
    ctl(t, "hash_password", "", status=65)


def test_passwords_that_are_hashed_already(t):
    only_shunt(t)
    user = t.name("u")
    t.cleanup(lambda: start_ctl(t, "delete_user", user))
    ctl(t, "add_user", user, rabbit_hash("first"), "--pre-hashed-password")
    ctl(t, "authenticate_user", user, "first")
    ctl(t, "change_password", user, rabbit_hash("second", algorithm="sha512"), "--pre-hashed-password")
    ctl(t, "authenticate_user", user, "second")
    ctl(t, "authenticate_user", user, "first", status=65)
    for bad in ("", "x", "AAAA", "not base64!", rabbit_hash("x")[:-4]):
        assert "not a valid password hash" in ctl(t, "change_password", user, bad, "--pre-hashed-password", status=65)
    ctl(t, "authenticate_user", user, "second")


def test_password_at_a_terminal_is_not_shown(t):
    only_shunt(t)
    user = t.name("u")
    t.cleanup(lambda: start_ctl(t, "delete_user", user))
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["SHUNT_SOCKET"] = t.broker.control_socket
        os.execl(shuntctl_of(t.broker), "shuntctl", "add_user", user)
    shown = b""
    is_typed = False
    while True:
        assert select.select([terminal], [], [], t.limit)[0], shown
        try:
            piece = os.read(terminal, 4096)
        except OSError:   # it has ended
            break
        if not piece:
            break
        shown += piece
        if b"Password: " in shown and not is_typed:
            is_typed = True
            os.write(terminal, b"typed secret\n")
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    assert b"Password: \r\nDone." in shown and b"typed" not in shown, shown
    ctl(t, "authenticate_user", user, "typed secret")


def memory_holds(pid, needle):
    """Whether a process has these bytes anywhere."""
    with open("/proc/%d/maps" % pid, encoding="ascii") as maps:
        ranges = [line.split()[:2] for line in maps if "[v" not in line]
    with open("/proc/%d/mem" % pid, "rb", 0) as memory:
        for span, rights in ranges:
            if not rights.startswith("rw"):
                continue
            start, end = (int(number, 16) for number in span.split("-"))
            try:
                memory.seek(start)
                if needle in memory.read(end - start):
                    return True
            except (OSError, ValueError, OverflowError):   # unmapped meanwhile, or a sanitizer's endless shadow
                continue
    return False


@limit(60)
def test_passwords_are_not_left_in_memory(t):
    broker = t.shuntd()
    with open("/proc/%d/maps" % broker.process.pid, "rb") as maps:
        mapped = maps.read()
    if broker.wrapper or b"libasan" in mapped or b"libtsan" in mapped:
        raise Skip("the memory is a sanitizer's too")
    password = "never to be left anywhere %s" % t.prefix
    ctl(t, "add_user", "alice", password, broker=broker)
    ctl(t, "authenticate_user", "alice", password, broker=broker)
    ctl(t, "authenticate_user", "alice", password + "x", broker=broker, status=65)
    ctl(t, "change_password", "alice", password, broker=broker)
    assert memory_holds(broker.process.pid, broker.control_socket.encode()), "the search finds what is there"
    assert not memory_holds(broker.process.pid, password.encode())
    with open(broker.log_path, encoding="utf-8") as log:
        assert password not in log.read()


# --- The audit trail


@limit(60)
def test_audit_trail(t):
    broker = t.shuntd()
    commands = [
        (["add_user", "alice", "s"], "user.created", 'name="alice"'),
        (["set_user_tags", "alice", "a", "b"], "user.tags.set", 'name="alice" tags="a,b"'),
        (["set_permissions", "alice", "x", "y", "z"], "permission.created",
         'user="alice" vhost="/" configure="x" write="y" read="z"'),
        (["set_topic_permissions", "alice", "amq.topic", "y", "z"], "topic.permission.created",
         'user="alice" vhost="/" exchange="amq.topic" write="y" read="z"'),
        (["clear_topic_permissions", "alice"], "topic.permission.deleted", 'user="alice" vhost="/"'),
        (["clear_permissions", "alice"], "permission.deleted", 'user="alice" vhost="/"'),
        (["set_user_limits", "alice", '{"max-channels":1}'], "user.limits.set",
         r'name="alice" definition="{\"max-channels\":1}"'),
        (["clear_user_limits", "alice", "all"], "user.limits.cleared", 'name="alice" limit="all"'),
        (["change_password", "alice", "t"], "user.password.changed", 'name="alice"'),
        (["clear_password", "alice"], "user.password.cleared", 'name="alice"'),
        (["delete_user", "alice"], "user.deleted", 'name="alice"'),
    ]
    for command, _, _ in commands:
        ctl(t, *command, broker=broker)
    ctl(t, "delete_user", "alice", broker=broker, status=67)   # changes nothing: no line
    with open(broker.log_path, encoding="utf-8") as log:
        lines = re.findall(r'audit\S*: event=(\S+) by="uid=%d" from="control socket, pid \d+" (.*)' % os.getuid(),
                           log.read())
    assert lines == [(event, details) for _, event, details in commands], lines


# --- Limits


@limit(60)
def test_limits_in_parts(t):
    """What a command does not name stays."""
    broker = t.shuntd()
    ctl(t, "add_user", "alice", "s", broker=broker)
    jobs = [start_in_background(t, broker, "set_user_limits", "alice", definition)
            for definition in ('{"max-channels":5}', '{"max-connections":7}')]
    assert [job.wait(t.limit) for job in jobs] == [0, 0]
    limits = json.loads(ctl(t, "list_user_limits", "-q", "--user", "alice", broker=broker))
    assert limits == {"max-channels": 5, "max-connections": 7}


def start_in_background(t, broker, *arguments):
    return subprocess.Popen([shuntctl_of(broker)] + list(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            env=dict(os.environ, SHUNT_SOCKET=broker.control_socket))


# --- Very many of them


def ask(t, broker, requests):
    """The requests in one go over the control socket; all answers, as lines."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(t.limit)
        connection.connect(broker.control_socket)
        sender = threading.Thread(target=connection.sendall, args=(
            "".join(json.dumps(request) + "\n" for request in requests).encode(),))
        sender.start()
        lines, left = [], len(requests)
        with connection.makefile("r", encoding="utf-8") as answers:
            while left:
                lines.append(json.loads(answers.readline()))
                left -= isinstance(lines[-1], dict) and ("ok" in lines[-1] or "error" in lines[-1])
        sender.join()
        return lines


@slow
@limit(120)
def test_many_users(t):
    """Lists of them are made in slices: all come, each once, in order."""
    broker = t.shuntd()
    names = ["user %05d" % number for number in range(2500)]
    secret = rabbit_hash("secret")
    answers = ask(t, broker, [{"command": "add_user", "user": name, "hash": secret} for name in names] +
                  [{"command": "set_permissions", "user": name, "vhost": "/", "configure": name, "write": "w", "read": "r"}
                   for name in names])
    assert answers == [{"ok": True}] * 2 * len(names)
    assert ctl(t, "list_users", "-s", broker=broker) == "guest\t[administrator]\n" + "".join(
        name + "\t[]\n" for name in names)
    rows = ctl(t, "list_permissions", "-s", broker=broker).split("\n")
    assert rows == ["guest\t.*\t.*\t.*"] + ["%s\t%s\tw\tr" % (name, name) for name in names] + [""]
    assert ctl(t, "list_topic_permissions", "-s", broker=broker) == "\n"
    assert ctl(t, "list_user_limits", "--global", "-s", broker=broker) == "\n"


def test_a_list_that_nobody_reads(t):
    """The client goes away in the middle of it."""
    broker = t.shuntd()
    ask(t, broker, [{"command": "add_user", "user": "%0250d" % number, "hash": rabbit_hash("x")} for number in range(600)])
    for _ in range(5):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(broker.control_socket)
            connection.sendall(b'{"command":"list_users"}\n')
            connection.recv(10)
    assert len(ask(t, broker, [{"command": "list_users"}])) == 600 + 1 + 2


# --- Who may not


def test_another_user_of_the_machine(t):
    """It may not even look, and is told so."""
    only_shunt(t)
    if os.getuid() != 0:
        raise Skip("needs root to become somebody else")
    done = subprocess.run([shuntctl_of(t.broker), "list_users"], env=dict(os.environ, SHUNT_SOCKET=t.broker.control_socket),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=t.limit,
                          check=False, encoding="utf-8", user=65534, group=65534, extra_groups=[])
    assert (done.returncode, done.stdout) == (69, ""), done
    assert "Permission denied" in done.stderr and "use the broker's user, or root" in done.stderr, done
