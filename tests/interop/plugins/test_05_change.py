# SPDX-License-Identifier: MIT
"""Plugins change while the broker runs: loaded, replaced, tried, taken out, by shuntctl. x_version.c is in versions."""

import json
import os
import re
import signal
import socket
import subprocess

import pika
import pika.exceptions

from lib import sdk
from lib.publisher import Publisher
from lib.runner import limit
from lib.shuntctl import ctl, shuntctl_of

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "x_version.c")
FOUR = ["plugin=exchange-direct", "plugin=exchange-fanout", "plugin=exchange-topic", "plugin=exchange-headers"]


def build(t, *defines, target=None):
    return sdk.build(t, SOURCE, target, defines)


def version(t, number, *defines, target=None):
    return build(t, 'VERSION="%s"' % number, *defines, target=target)


class World:
    """A broker with version 1 loaded, an exchange and two queues bound to it."""

    def __init__(self, t, *options, loops=2):
        self.t = t
        self.path = version(t, 1)
        self.broker = t.shuntd(*FOUR, *options, loops=loops)
        self.ctl("load", self.path)
        self.channel = t.connect(self.broker).channel()
        self.channel.exchange_declare("e", "x-version")
        for queue in "ab":
            self.channel.queue_declare(queue)
            self.channel.queue_bind(queue, "e", queue)
        self.channel.confirm_delivery()

    def ctl(self, *arguments, status=0):
        return ctl(self.t, "-q", "plugin", *arguments, broker=self.broker, status=status)

    def info(self):
        return json.loads(self.ctl("info", "x-version", "--formatter", "json"))

    def plugins(self):
        return {(row["name"], row["version"]): row for row in json.loads(self.ctl("list", "--formatter", "json"))}

    def version(self):
        return self.ctl("run", "x-version", "version").strip()

    def works(self, channel=None):
        channel = channel or self.channel
        for queue in "ab":
            channel.basic_publish("e", queue, b"m", mandatory=True)
            assert channel.basic_get(queue, auto_ack=True)[2] == b"m", queue
        for queue in "ab":
            assert channel.basic_get(queue, auto_ack=True)[0] is None, queue

    def refuses(self, why, *arguments):
        """The command fails and says why; version 1 goes on."""
        said = self.ctl(*arguments, status=70)
        text = said.split("\n", 1)[1].strip()
        assert why.search(text) if hasattr(why, "search") else text == why, text
        assert self.version() == "1"
        self.works()
        self.t.wait(lambda: [key for key in self.plugins() if key[0] != "x-version" and "exchange-" not in key[0]] == [],
                    "the refused one to be closed")


def refused(channel, code, text, call, *arguments):
    """The call closes the channel like this; returns a new one."""
    try:
        call(*arguments)
        raise AssertionError("the channel is still open; expected %s" % text)
    except pika.exceptions.ChannelClosedByBroker as error:
        assert (error.reply_code, error.reply_text) == (code, text), error
    return channel.connection.channel()


# --- load, unload

def test_loaded_and_used(t):
    broker = t.shuntd(*FOUR)
    channel = t.connect(broker).channel()
    channel = refused(channel, 406, "PRECONDITION_FAILED - unknown exchange type 'x-version'",
                      channel.exchange_declare, "e", "x-version")
    path = version(t, 1)
    assert ctl(t, "plugin", "load", path, broker=broker) == "plugin 'x-version', version 1, is loaded\n"
    channel.exchange_declare("e", "x-version")
    channel.queue_declare("q")
    channel.queue_bind("q", "e", "k")
    channel.basic_publish("e", "k", b"m")
    assert channel.basic_get("q", auto_ack=True)[2] == b"m"
    assert 'loaded: name=x-version version=1 path="%s"' % path in broker.log_tail(20)


def test_loaded_by_name_from_the_folder_of_plugins(t):
    broker = t.shuntd("plugin=exchange-fanout")
    assert ctl(t, "plugin", "load", "exchange-topic", broker=broker).startswith("plugin 'exchange-topic', version ")
    assert 'operation=load name="exchange-topic"' in broker.log_tail()
    channel = t.connect(broker).channel()
    channel.queue_declare("q")
    channel.queue_bind("q", "amq.topic", "a.*")
    channel.basic_publish("amq.topic", "a.b", b"m")
    assert channel.basic_get("q", auto_ack=True)[2] == b"m"


def test_unload_is_refused_in_use(t):
    world = World(t)
    world.refuses("cannot unload plugin 'x-version': exchange 'e' in vhost '/' is of its type 'x-version'",
                  "unload", "x-version")
    world.channel.exchange_delete("e")
    assert world.ctl("unload", "x-version") == "plugin 'x-version', version 1, is unloaded\n"
    assert ("x-version", "1") not in world.plugins()
    channel = refused(world.channel, 406, "PRECONDITION_FAILED - unknown exchange type 'x-version'",
                      world.channel.exchange_declare, "e", "x-version")
    world.ctl("load", world.path)
    channel.exchange_declare("e", "x-version")
    channel.queue_bind("a", "e", "a")
    channel.basic_publish("e", "a", b"again")
    assert channel.basic_get("a", auto_ack=True)[2] == b"again"


def test_unload_what_is_not_there(t):
    broker = t.shuntd(*FOUR)
    for words in (("info", "nobody"), ("reload", "nobody"), ("unload", "nobody"), ("promote", "nobody"),
                  ("drop", "nobody"), ("trial", "nobody", "/nowhere.so"), ("run", "nobody", "x")):
        said = ctl(t, "plugin", *words, broker=broker, status=65)
        assert said == "Error:\nno plugin 'nobody' is loaded\n", (words, said)
    for operation in ("promote", "drop"):
        said = ctl(t, "plugin", operation, "exchange-direct", broker=broker, status=70)
        expected = "Error:\ncannot %s plugin 'exchange-direct': no version of it is being tried\n" % operation
        assert said == expected, said


def test_sighup_does_not_touch_plugins(t):
    world = World(t)
    world.broker.process.send_signal(signal.SIGHUP)
    assert world.version() == "1"
    world.works()


# --- what shuntctl shows

def test_list_and_info(t):
    world = World(t)
    assert world.ctl("list").split("\n")[0] == "name\tversion\tstate\tfile\ttypes"
    assert "x-version\t1\trunning\t%s\tx-version" % world.path in world.ctl("list").split("\n")
    row = world.plugins()["x-version", "1"]
    assert row == {"name": "x-version", "version": "1", "state": "running", "file": world.path, "types": ["x-version"]}
    world.works()
    info = world.info()
    assert [info[key] for key in ("name", "version", "licence", "file")] == ["x-version", "1", "MIT", world.path]
    (kind,) = info["exchange_types"]
    assert (kind["name"], kind["instances"]) == ("x-version", 1)
    (argument,) = kind["declare_arguments"]
    assert argument == {"name": "x-size", "type": "integer", "required": False, "range": "1..9", "default": "5",
                        "help": "how large it is"}
    assert [command["name"] for command in info["commands"]] == ["version", "adopted", "hold", "flood", "flooded"]
    assert info["metrics"] == [{"name": "routed", "type": "counter", "value": 2, "help": "messages routed"}]
    text = world.ctl("info", "x-version")
    for line in (" * x-version (1 exchange): routes by the whole key",
                 "    * x-size (integer 1..9, default 5): how large it is",
                 " * version: says which version it is", " * routed = 2 (counter): messages routed"):
        assert line in text.split("\n"), text


def test_usage(t):
    broker = t.shuntd(*FOUR)
    for words, why in (([], "not enough arguments."), (["nonsense"], "there is no 'plugin nonsense'."),
                       (["info"], "not enough arguments."), (["load", "a", "b"], "too many arguments."),
                       (["list", "--percent", "5"], "--percent is for trials."),
                       (["trial", "a", "b", "--percent", "0"], "--percent is a whole number from 1 to 100.")):
        assert ctl(t, "plugin", *words, broker=broker, status=64).startswith(
            "Error (argument validation): %s\n" % why), words


def test_words_that_are_no_text(t):
    """JSON has no other bytes than UTF-8. A file that cannot be named is not another file."""
    world = World(t)
    for words in (["load", b"./\xff.so"], ["reload", "x-version", b"/tmp/\xff.so"], ["trial", "x-version", b"\xff"],
                  ["unload", b"x\xff"], ["run", "x-version", "version", b"\xff"]):
        assert "is not UTF-8 text." in ctl(t, "plugin", *words, broker=world.broker, status=64), words
    assert not any("replaced: " in line for line in world.broker.log_tail(100).splitlines())
    folder = os.fsencode(sdk.folder(t)) + b"/\xff"
    os.mkdir(folder)
    with open(folder + b"/new.so", "wb"):
        pass
    done = subprocess.run([shuntctl_of(world.broker), "plugin", "reload", "x-version", "new.so"], cwd=folder,
                          env=dict(os.environ, SHUNT_SOCKET=world.broker.control_socket), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=t.limit, check=False)
    assert (done.returncode, done.stderr) == (64, b"Error: '" + folder + b"/new.so' is not UTF-8 text\n"), done
    assert not any("replaced: " in line for line in world.broker.log_tail(100).splitlines())


def test_commands_of_plugins(t):
    world = World(t)
    assert world.ctl("run", "x-version", "version") == "1\n"
    assert "x-version" in world.ctl("run", "x-version", "nothing", status=65)
    assert "nobody" in world.ctl("run", "nobody", "version", status=65)


def test_text_that_is_not_read(t):
    """A plugin prints on and on, and who asked for it reads nothing: the broker does not keep all of it."""
    world = World(t)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(t.limit)
        s.connect(world.broker.control_socket)
        s.sendall(b'{"command": "plugin_run", "name": "x-version", "run": "flood", "arguments": []}\n')
        t.wait(lambda: world.ctl("run", "x-version", "flooded") == "100\n", "all of it to be printed")
        with s.makefile("rb") as f:
            lines, size = b"", 0
            while b'"error"' not in lines:
                lines = f.readline()
                size += len(lines)
    assert 32 << 20 < size < 50 << 20, size
    assert json.loads(lines) == {"error": "it has printed more than was read", "status": 70}, lines
    world.works()


# --- reload

def test_reload_of_the_changed_file(t):
    world = World(t)
    version(t, 2, target=world.path)
    assert world.ctl("reload", "x-version") == "plugin 'x-version': version 2 has taken the place of 1\n"
    assert world.version() == "2"
    assert world.ctl("run", "x-version", "adopted") == "1 from 1\n"
    world.works()
    assert world.info()["exchange_types"][0]["instances"] == 1
    assert ("x-version", "1") not in world.plugins()
    world.channel.exchange_delete("e")
    world.ctl("unload", "x-version")


def test_reload_of_another_file(t):
    world = World(t)
    other = version(t, 3, target=os.path.join(sdk.folder(t), "other.so"))
    world.ctl("reload", "x-version", other)
    assert world.version() == "3"
    assert world.info()["file"] == other
    world.works()


def test_file_with_a_long_name(t):
    """The name of its private copy is longer than that, and a folder takes 255 bytes."""
    world = World(t)
    other = version(t, 2, target=os.path.join(sdk.folder(t), "n" * 252 + ".so"))
    world.ctl("reload", "x-version", other)
    assert world.version() == "2"


def test_reload_of_what_ships(t):
    broker = t.shuntd(*FOUR)
    channel = t.connect(broker).channel()
    channel.queue_declare("q")
    channel.queue_bind("q", "amq.topic", "a.#")
    channel.queue_bind("q", "amq.direct", "d")
    for name in ("exchange-direct", "exchange-topic", "exchange-fanout", "exchange-headers"):
        assert "has taken the place of" in ctl(t, "plugin", "reload", name, broker=broker)
    channel.basic_publish("amq.topic", "a.b.c", b"topic")
    channel.basic_publish("amq.direct", "d", b"direct")
    assert [channel.basic_get("q", auto_ack=True)[2] for _ in range(2)] == [b"topic", b"direct"]


def test_old_version_waits_for_what_is_pending(t):
    """A command that has not ended keeps the old version open, and the answer says so; who asked for it goes."""
    world = World(t)
    holder = subprocess.Popen([shuntctl_of(world.broker), "plugin", "run", "x-version", "hold"],
                              env=dict(os.environ, SHUNT_SOCKET=world.broker.control_socket),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8")
    try:
        assert holder.stdout.readline() == "held\n"
        version(t, 2, target=world.path)
        said = world.ctl("reload", "x-version")
        assert said == ("plugin 'x-version': version 2 has taken the place of 1; what it was waits to be closed, "
                        "as something of it is pending\n"), said
        assert world.version() == "2"
        assert world.plugins()["x-version", "1"]["state"] == "closing"
        world.works()
    finally:
        holder.kill()
        holder.communicate()
    t.wait(lambda: ("x-version", "1") not in world.plugins(), "the old one to be closed")
    world.works()


# --- refused: the old one goes on

REFUSALS = {
    "abi": (["ABI_MAJOR=9"], "it is built for ABI 9.%d, this broker has %d.%d" % (sdk.abi()[1], *sdk.abi())),
    "symbol": (["NOT_EXPORTED"], re.compile("does not export shunt_plugin")),
    "start": (["START_FAILS"], "it does not start: not in the mood"),
    "create": (["CREATE_FAILS"], "exchange 'e' in vhost '/': INTERNAL_ERROR - no such exchange today"),
    "binding": (['REFUSES="b"'], "exchange 'e' in vhost '/', binding to queue 'b' with key 'b': "
                                 "PRECONDITION_FAILED - that key is over"),
    "name": (['NAME="x-other"'], "it is plugin 'x-other', not 'x-version'"),
    "lacks_type": (["LACKS_TYPE"], "exchange 'e' in vhost '/' is of its type 'x-version'"),
}


def refusal(name):
    def test(t):
        world = World(t)
        defines, why = REFUSALS[name]
        path = version(t, 2, *defines)
        if not hasattr(why, "search"):
            why = "cannot reload plugin 'x-version': " + why
        world.refuses(why, "reload", "x-version", path)
        os.replace(path, world.path)
        world.refuses(why, "reload", "x-version")
    return test


for _name in REFUSALS:
    globals()["test_refused_" + _name] = refusal(_name)


def test_refused_files(t):
    world = World(t)
    missing = os.path.join(sdk.folder(t), "missing.so")
    world.refuses(re.compile("No such file"), "reload", "x-version", missing)
    with open(missing, "wb") as f:
        f.write(b"no shared object at all")
    world.refuses(re.compile("^cannot reload plugin 'x-version': .*missing.so"), "reload", "x-version", missing)
    world.refuses("cannot load plugin '%s': a plugin named 'x-version' is loaded already" % world.path,
                  "load", world.path)
    copy = version(t, 1, 'NAME="x-copy"')
    world.refuses(re.compile("exchange type 'x-version' is there already, by plugin 'x-version'"), "load", copy)


# --- trials

def test_trial_of_the_same(t):
    world = World(t)
    said = world.ctl("trial", "x-version", version(t, 2))
    assert said == "plugin 'x-version': version 2 routes 100 % of the messages beside 1\n", said
    assert world.plugins()["x-version", "2"]["state"] == "on trial"
    world.works()
    world.channel.exchange_declare("late", "x-version")
    world.channel.queue_bind("a", "late", "k")
    world.channel.basic_publish("late", "k", b"m")
    assert world.channel.basic_get("a", auto_ack=True)[2] == b"m"
    trial = world.info()["trial"]
    assert (trial["version"], trial["percent"], trial["different"]) == ("2", 100, 0), trial
    assert 2 <= trial["compared"] <= 3, trial   # the late one's instance is made soon after it was declared
    assert world.version() == "1"
    for command in (["reload", "x-version"], ["unload", "x-version"], ["trial", "x-version", world.path]):
        assert "version 2 of it is being tried" in world.ctl(*command, status=70)
    assert world.ctl("promote", "x-version") == "plugin 'x-version': version 2 has taken the place of 1\n"
    assert world.version() == "2"
    assert world.info()["trial"] is None
    assert world.ctl("run", "x-version", "adopted") == "2 from 1\n"
    world.works()


def test_trial_of_a_wrong_one(t):
    world = World(t)
    world.ctl("trial", "x-version", version(t, 2, "WRONG"), "--percent", "50")
    for _ in range(10):
        world.works()
    trial = world.info()["trial"]
    assert (trial["percent"], trial["compared"], trial["different"]) == (50, 10, 10), trial
    assert (trial["only_old"], trial["only_new"]) == (0, 10), trial
    sample = trial["samples"][0]
    assert (sample["exchange"], sample["vhost"], sample["only_old_names"]) == ("e", "/", []), sample
    other = {"a": "b", "b": "a"}[sample["routing_key"]]
    assert sample["only_new_names"] == [{"name": other, "kind": "queue"}], sample
    assert "exchange e in vhost /, key %s: only the new one: queue %s" % (sample["routing_key"], other) in \
        world.ctl("info", "x-version")
    assert world.ctl("drop", "x-version") == "plugin 'x-version': version 2 is dropped\n"
    assert world.info()["trial"] is None
    t.wait(lambda: ("x-version", "2") not in world.plugins(), "the dropped one to be closed")
    world.works()
    world.ctl("reload", "x-version")


def test_trial_that_fails(t):
    """By a binding that comes meanwhile: it stands, and the trial is over."""
    world = World(t)
    world.ctl("trial", "x-version", version(t, 2, 'REFUSES="bad"'))
    world.channel.queue_bind("a", "e", "bad")
    world.channel.basic_publish("e", "bad", b"m")
    assert world.channel.basic_get("a", auto_ack=True)[2] == b"m"
    t.wait(lambda: world.info()["trial"]["failure"], "the trial to fail")
    why = "exchange 'e' in vhost '/', binding to queue 'a' with key 'bad': PRECONDITION_FAILED - that key is over"
    assert world.info()["trial"]["failure"] == why
    assert "It has failed: " + why in world.ctl("info", "x-version")
    world.refuses("cannot promote plugin 'x-version': the trial has failed: " + why, "promote", "x-version")
    world.ctl("drop", "x-version")
    assert world.info()["trial"] is None
    world.works()


def test_trial_that_is_refused(t):
    world = World(t)
    for name in ("abi", "create", "binding"):
        defines, why = REFUSALS[name]
        world.refuses("cannot try plugin 'x-version': " + why, "trial", "x-version", version(t, 2, *defines))
    world.refuses("cannot try plugin 'x-version': it has no exchange type to be tried", "trial", "x-version",
                  version(t, 2, "LACKS_TYPE"))


def test_broker_ends_during_a_trial(t):
    world = World(t)
    world.ctl("trial", "x-version", version(t, 2))
    world.works()


@limit(60)
def test_broker_ends_amid_changes(t):
    """Many orders at once, of several callers, and the broker is told to end: it does, in good order."""
    world = World(t)
    orders = [("reload", "exchange-topic", None), ("reload", "x-version", world.path), ("unload", "x-version", None),
              ("trial", "x-version", version(t, 2)), ("drop", "x-version", None), ("promote", "x-version", None),
              ("load", world.path, None)]
    world.channel.exchange_delete("e")
    world.channel.connection.close()
    clients = []
    for n in range(6):
        client = socket.socket(socket.AF_UNIX)
        t.cleanup(client.close)
        client.connect(world.broker.control_socket)
        clients.append(client)
        for i in range(20):
            operation, name, path = orders[(i * (n + 1) + n) % len(orders)]
            request = {"command": "plugin_change", "operation": operation, "name": name}
            if path:
                request["file"] = path
            client.sendall(json.dumps(request).encode() + b"\n" + b'{"command": "plugin_list"}\n')
    clients[0].makefile("rb").readline()
    world.broker.tell_to_end()
    world.broker.process.wait(30 * t.broker.patience)


# --- restart without it

def test_missing_plugin_comes_back(t):
    """Its durable exchanges stay defined, say what they lack, and come to life with all their bindings."""
    path = version(t, 1, target=os.path.join(sdk.folder(t), "x-version.so"))
    broker = t.shuntd(*FOUR, "plugin=" + path, "plugin.x-version.optional=true")
    connection = t.connect(broker)
    channel = connection.channel()
    channel.exchange_declare("e", "x-version", durable=True)
    channel.queue_declare("q", durable=True)
    for i in range(50):
        channel.queue_bind("q", "e", "k%d" % i)
    connection.close()
    broker.tell_to_end()
    broker.process.wait()
    os.replace(path, path + ".away")
    broker.launch()

    channel = t.connect(broker).channel()
    text = "PRECONDITION_FAILED - the type 'x-version' of exchange 'e' in vhost '/' is not loaded"
    channel.exchange_declare("e", passive=True)
    channel = refused(channel, 406, text, channel.queue_bind, "q", "e", "more")
    channel.confirm_delivery()
    channel = refused(channel, 406, text, channel.basic_publish, "e", "k1", b"m")
    channel.queue_unbind("q", "e", "k0")
    ctl(t, "plugin", "load", path + ".away", broker=broker)
    channel.confirm_delivery()
    for i in range(1, 50):
        channel.basic_publish("e", "k%d" % i, b"%d" % i, mandatory=True)
    for i in range(1, 50):
        assert channel.basic_get("q", auto_ack=True)[2] == b"%d" % i
    try:
        channel.basic_publish("e", "k0", b"m", mandatory=True)
        raise AssertionError("k0 was unbound")
    except pika.exceptions.UnroutableError:
        pass


# --- under load

@limit(90)
def test_many_swaps_under_load(t):
    """Some dozens of swaps while three clients publish with confirms, and others bind: every message is once where it
    belongs, in its publisher's order."""
    world = World(t)
    paths = [version(t, n) for n in (1, 2)]
    publishers = [Publisher(t, world.broker, i * 10000000) for i in range(3)]
    for publisher in publishers:
        publisher.start()
    extra = t.connect(world.broker).channel()
    extra.queue_declare("c")
    for i in range(40):
        world.ctl("reload", "x-version", paths[i % 2])
        extra.queue_bind("c", "e", "other%d" % i)
        if i % 3 == 0:
            extra.exchange_declare("e%d" % i, "x-version")
        if i % 10 == 4:
            world.ctl("trial", "x-version", paths[i % 2])
            world.ctl("promote", "x-version")
    for publisher in publishers:
        publisher.over.set()
        publisher.join()
        assert publisher.problem is None, publisher.problem
    assert world.version() == "2"
    assert world.info()["exchange_types"][0]["instances"] == 15
    for queue in "ab":
        got = [int(body) for body in t.bodies(world.channel, queue)]
        for publisher in publishers:
            mine = [n for n in got if publisher.numbers <= n < publisher.numbers + 10000000]
            assert mine == publisher.sent[queue], (queue, len(mine), len(publisher.sent[queue]))
        assert len(got) == sum(len(publisher.sent[queue]) for publisher in publishers)
    assert t.bodies(extra, "c") == []
