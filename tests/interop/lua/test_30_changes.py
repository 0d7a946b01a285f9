# SPDX-License-Identifier: MIT
"""Scripts as operators have them: named in the configuration, listed, looked at, changed while the broker runs."""

import json
import os
import shutil
import signal
import tempfile

from lib import sdk
from lib.publisher import Publisher
from lib.runner import limit
from lib.shuntctl import ctl, shuntd_with
from lua.scripted import serve, wait_for_log, write

KEYS = """\
-- routes by the whole key
exchange.register{
  name = "x-keys",
  route = function(message, bindings)
    return bindings:match(message.routing_key)
  end,
}
"""
NOBODY = KEYS.replace("bindings:match(message.routing_key)", "nil")
BROKEN = KEYS.replace("end,\n}", "end\nend,\n}")
FAILS_ITS_TEST = KEYS + """
function test_it()
  test.equal(1, 2, "one and two")
end
"""


class World:
    """A broker with one script, an exchange of its type, and two queues bound to it."""

    def __init__(self, t, text=KEYS, loops=2):
        self.t = t
        self.broker = serve(t, loops=loops, keys=text)
        self.path = os.path.join(self.broker.scripts, "keys.lua")
        self.channel = t.connect(self.broker).channel()
        self.channel.exchange_declare("e", "x-keys")
        for queue in "ab":
            self.channel.queue_declare(queue)
            self.channel.queue_bind(queue, "e", queue)
        self.channel.confirm_delivery()

    def ctl(self, *arguments, status=0):
        return ctl(self.t, "-q", "script", *arguments, broker=self.broker, status=status)

    def info(self):
        return json.loads(self.ctl("info", "keys", "--formatter", "json"))

    def write(self, text):
        return write(self.broker.scripts, "keys", text)

    def hang_up(self):
        self.broker.process.send_signal(signal.SIGHUP)

    def works(self):
        for queue in "ab":
            self.channel.basic_publish("e", queue, b"m", mandatory=True)
            assert self.channel.basic_get(queue, auto_ack=True)[2] == b"m", queue

    def routes_nothing(self):
        self.channel.basic_publish("e", "a", b"m")
        assert self.channel.basic_get("a", auto_ack=True)[0] is None


# --- at the start

def refused(t, lines, script, expected):
    """By a start and by --check-config, with status 78 and one line. FOLDER stands for that of the configuration."""
    folder = tempfile.mkdtemp(prefix="shunt-scripts-")
    t.cleanup(lambda: shutil.rmtree(folder))
    if script is not None:
        write(folder, "mine", script)
    for more in ((), ("--check-config",)):
        status, said = sdk.check(t, *more, lines=["scripts.dir = " + folder, *lines],
                                 path=os.path.join(folder, "shunt.conf"))
        errors = [line for line in said if not line.startswith("I ")]
        assert (status, len(errors)) == (78, 1), (status, said)
        assert errors[0].split(": ", 1)[1] == expected.replace("FOLDER", folder), errors[0]


def test_refused_at_the_start(t):
    refused(t, ["script = mine"], BROKEN, "FOLDER/mine.lua:7: '}' expected (to close '{' at line 2) near 'end'")


def test_refused_as_a_test_of_it_fails(t):
    folder = tempfile.mkdtemp(prefix="shunt-scripts-")
    t.cleanup(lambda: shutil.rmtree(folder))
    path = write(folder, "mine", FAILS_ITS_TEST)
    status, said = sdk.check(t, lines=["script = " + path], path=os.path.join(folder, "shunt.conf"))
    assert status == 78, said
    assert said[-1].startswith("E plugin[0]: %s:10: " % path) and "one and two" in said[-1], said[-1]


def test_refused_files(t):
    refused(t, ["script = mine"], None, "FOLDER/shunt.conf:2: cannot load script 'mine': FOLDER/mine.lua: "
                                        "No such file or directory")
    refused(t, ["script = mine", "script = mine"], KEYS,
            "FOLDER/shunt.conf:3: cannot load script 'mine': a plugin named 'mine' is loaded already")
    refused(t, ["script = /nowhere/mine"], None,
            "FOLDER/shunt.conf:2: cannot load script '/nowhere/mine': /nowhere/mine: a script's file is "
            "NAME.EXTENSION, with a name of letters, digits, '-' and '_'")


def test_refused_settings(t):
    refused(t, ["script = mine", "script.mine.optional = maybe"], KEYS,
            "FOLDER/shunt.conf:3: bad value 'maybe' for 'script.mine.optional': expected true or false")
    refused(t, ["script = mine", "script.other.key = 1"], KEYS, "FOLDER/shunt.conf:3: script 'other' is not loaded")
    refused(t, ["script.mine = 1"], None, "FOLDER/shunt.conf:2: 'script.mine' is not script.NAME.KEY")


def test_looking_at_the_configuration_starts_nothing_up(t):
    text = "function startup() log.warning('up') end"
    assert "mine: up" in serve(t, mine=text).log_tail(100)
    status, said = sdk.check(t, "--check-config", lines=["script = " + write(sdk.folder(t), "mine", text)])
    assert status == 0 and not any("mine: up" in line for line in said), said


def test_optional(t):
    broker = serve(t, "script.mine.optional=true", mine="nonsense")
    assert "started without it: %s/mine.lua:1: " % broker.scripts in broker.log_tail(100)
    assert "mine" not in ctl(t, "script", "list", broker=broker)


def test_no_language_without_scripts(t):
    broker = t.shuntd()
    assert "name=lua" not in broker.log_tail(100)
    with open("/proc/%d/maps" % broker.process.pid, encoding="utf-8") as maps:
        assert "liblua" not in maps.read()


# --- what shuntctl shows

def test_list_and_info(t):
    world = World(t)
    world.works()
    lines = world.ctl("list").split("\n")
    assert lines[0] == "name\tversion\tstate\tlanguage\tfile\ttypes"
    info = world.info()
    assert lines[1:] == ["keys\t%s\trunning\tlua\t%s\tx-keys" % (info["version"], world.path), ""], lines
    assert info["script"]["language"] == "lua" and not info["script"]["can_roll_back"], info
    assert info["script"]["size"] == len(KEYS)
    assert "x-keys" in world.ctl("info", "keys")
    for words in (("info", "lua"), ("reload", "exchange-direct"), ("rollback", "nobody"), ("unload", "nobody")):
        said = world.ctl(*words, status=65)
        assert said == "Error:\nno script '%s' is loaded\n" % words[1], said


def test_usage(t):
    broker = t.shuntd()
    for words, why in (([], "not enough arguments."), (["nonsense"], "there is no 'script nonsense'."),
                       (["run", "a", "b"], "there is no 'script run'."), (["check"], "not enough arguments."),
                       (["rollback", "a", "b"], "too many arguments.")):
        assert ctl(t, "script", *words, broker=broker, status=64).startswith(
            "Error (argument validation): %s\n" % why), words


def test_secrets_are_not_shown(t):
    broker = serve(t, "script.keys.password.alice=hush", "script.keys.table.bob=seen", keys=KEYS)
    said = ctl(t, "script", "info", "keys", broker=broker) + ctl(t, "environment", broker=broker)
    assert "table.bob = seen" in said and "password.alice" in said and "hush" not in said, said


# --- check, test

def test_check_and_test(t):
    """Neither changes anything, nor needs a script that runs."""
    broker = t.shuntd()
    folder = sdk.folder(t)
    good, bad = write(folder, "good", KEYS), write(folder, "bad", BROKEN)
    failing = write(folder, "failing", FAILS_ITS_TEST)
    assert "x-keys" in ctl(t, "script", "check", good, broker=broker)
    assert ctl(t, "script", "check", bad, broker=broker, status=65).startswith("Error:\n%s:7: " % bad)
    assert ctl(t, "script", "test", bad, broker=broker, status=65).startswith("Error:\n%s:7: " % bad)
    ctl(t, "script", "test", good, broker=broker)
    ctl(t, "script", "check", failing, broker=broker)
    assert "one and two" in ctl(t, "script", "test", failing, broker=broker, status=65)
    assert ctl(t, "script", "check", folder + "/none.lua", broker=broker, status=65) == (
        "Error:\n%s/none.lua: No such file or directory\n" % folder)
    assert "good" not in ctl(t, "-q", "script", "list", broker=broker)


def test_check_of_one_that_runs(t):
    world = World(t)
    world.write(BROKEN)
    assert world.ctl("check", "keys", status=65).startswith("Error:\n%s:7: " % world.path)
    world.works()


NEEDS = KEYS + """
settings.require{ user = "string", rate = "number", where = "string?" }
function test_it()
  test.equal({ settings.user, settings.rate }, { "alice", 2 })
end
"""


def test_check_and_test_with_settings(t):
    """Those of the configuration, and over them those that stand behind the file."""
    folder = sdk.folder(t)
    path = write(folder, "needs", NEEDS)
    missing = "Error:\n%s:9: settings of script.needs are missing: %%s; KEY=VALUE behind the file gives one\n" % path
    broker, conf = shuntd_with(t, folder, "")
    for operation in "check", "test":
        assert ctl(t, "script", operation, path, broker=broker, status=65) == (
            missing % "rate (number), user (string)"), operation
        assert ctl(t, "script", operation, path, "rate=1", broker=broker, status=65) == missing % "user (string)"
        said = ctl(t, "script", operation, path, "rate=2", "user=bob", "user=alice", broker=broker)
        assert said.startswith("exchange type x-keys\n"), said
    assert "got {" in ctl(t, "script", "test", path, "rate=2", "user=a=b", broker=broker, status=65)
    assert "command line: bad value 'x' for 'script.needs.memory': " in ctl(
        t, "script", "check", path, "memory=x", broker=broker, status=65)
    for word in "user", "=alice":
        assert "'%s' is no setting: KEY=VALUE expected" % word in ctl(
            t, "script", "check", path, word, broker=broker, status=64)
    with open(conf, "w", encoding="utf-8") as f:
        f.write("script = needs\nscript.needs.user = bob\nscript.needs.rate = 2\n")
    ctl(t, "reload", broker=broker)
    assert "1 passed" in ctl(t, "script", "test", path, "user=alice", broker=broker)
    assert '"bob"' in ctl(t, "script", "test", path, broker=broker, status=65)


# --- changes

def test_load_and_unload(t):
    broker = t.shuntd()
    channel = t.connect(broker).channel()
    path = write(sdk.folder(t), "keys", KEYS)
    said = ctl(t, "script", "load", path, broker=broker)
    assert said.startswith("script 'keys', version ") and said.endswith(", is loaded\n"), said
    wait_for_log(t, broker, 'event=script.changed by="uid=%d"' % os.getuid())
    channel.exchange_declare("e", "x-keys")
    said = ctl(t, "script", "unload", "keys", broker=broker, status=70)
    assert said == ("Error:\ncannot unload script 'keys': exchange 'e' in vhost '/' is of its type 'x-keys'\n"), said
    said = ctl(t, "plugin", "unload", "lua", broker=broker, status=70)
    assert said == "Error:\ncannot unload plugin 'lua': these scripts run in it: 'keys'\n", said
    channel.exchange_delete("e")
    ctl(t, "script", "unload", "keys", broker=broker)
    ctl(t, "plugin", "unload", "lua", broker=broker)
    ctl(t, "plugin", "load", path, broker=broker)   # the same by the command for plugins
    channel.exchange_declare("e", "x-keys")


def test_load_that_fails(t):
    broker = t.shuntd()
    path = write(sdk.folder(t), "keys", BROKEN)
    said = ctl(t, "script", "load", path, broker=broker, status=70)
    assert said.startswith("Error:\n%s:7: " % path) and said.endswith("(script '%s' is not loaded)\n" % path), said
    said = ctl(t, "script", "load", "no-such", broker=broker, status=70)
    assert said.startswith("Error:\ncannot load script 'no-such': ") and "No such file" in said, said


def test_reload_and_rollback(t):
    world = World(t)
    first = world.info()["version"]
    assert world.ctl("rollback", "keys", status=70) == (
        "Error:\ncannot roll back script 'keys': no other version of it has run\n")
    world.write(NOBODY)
    world.ctl("reload", "keys")
    world.routes_nothing()
    assert world.info()["script"]["can_roll_back"]
    world.ctl("rollback", "keys")
    world.works()
    assert world.info()["version"] == first
    world.ctl("rollback", "keys")
    world.routes_nothing()


def test_reload_that_fails(t):
    world = World(t)
    world.write(BROKEN)
    said = world.ctl("reload", "keys", status=70)
    assert said.startswith("Error:\n%s:7: " % world.path) and said.endswith("(script 'keys' is not reloaded)\n"), said
    world.works()
    world.write(FAILS_ITS_TEST)
    said = world.ctl("reload", "keys", status=70)
    assert said.startswith("Error:\n%s:10: " % world.path) and "one and two" in said, said
    world.works()


def test_sighup(t):
    world = World(t)
    world.hang_up()
    wait_for_log(t, world.broker, "configuration reloaded")
    world.write(BROKEN)
    world.hang_up()
    wait_for_log(t, world.broker, "W plugin[0]: %s:7: " % world.path)
    world.works()
    assert "replaced: name=keys" not in world.broker.log_tail(200)
    world.write(NOBODY)
    world.hang_up()
    wait_for_log(t, world.broker, "replaced: name=keys")
    world.routes_nothing()


SAYS = """\
exchange.register{
  name = "x-set",
  route = function(message, bindings)
    return bindings:match(settings.key)
  end,
}
settings.require{ key = "string" }
"""


def test_settings_that_change(t):
    """A reload hands them to the scripts, which are opened anew."""
    folder = sdk.folder(t)
    path = write(folder, "set", SAYS)
    lines = "script = %s\nscript.set.%%s\n" % path
    broker, conf = shuntd_with(t, folder, lines % "key = a")
    channel = t.connect(broker).channel()
    channel.exchange_declare("e", "x-set")
    for queue in "ab":
        channel.queue_declare(queue)
        channel.queue_bind(queue, "e", queue)
    channel.confirm_delivery()

    def publish():
        channel.basic_publish("e", "any", b"m", mandatory=True)
        return [channel.basic_get(queue, auto_ack=True)[0] is not None for queue in "ab"]

    assert publish() == [True, False]
    with open(conf, "w", encoding="utf-8") as f:
        f.write(lines % "key = b")
    assert "in force now: script.set.key\n" in ctl(t, "reload", broker=broker)
    wait_for_log(t, broker, "replaced: name=set")
    assert publish() == [False, True]
    assert "script.set.key = b\n" in ctl(t, "environment", broker=broker)
    with open(conf, "w", encoding="utf-8") as f:
        f.write(lines % "nothing = b")
    ctl(t, "reload", broker=broker)
    wait_for_log(t, broker, "(script 'set' is not reloaded)")
    assert publish() == [False, True]


def test_settings_of_nobody(t):
    """What the broker would not start with it does not take either when it is reloaded."""
    folder = sdk.folder(t)
    lines = "script = %s\nscript.set.key = a\n" % write(folder, "set", SAYS)
    broker, conf = shuntd_with(t, folder, lines)

    def reload(more, status=0):
        with open(conf, "w", encoding="utf-8") as f:
            f.write(lines + more)
        return ctl(t, "reload", broker=broker, status=status)

    wrong = "%s:4: script 'other' is not loaded\n" % conf
    assert reload("log.level = debug\nscript.other.key = 1\n", status=78) == "Error:\n" + wrong
    assert "configuration not reloaded: " + wrong in broker.log_tail()
    assert "script.other" not in ctl(t, "environment", broker=broker)
    # one that will be there: it can be loaded now
    reload("script = /elsewhere/other.lua\nscript.other.key = 1\n")
    reload("script = other\nscript.other.key = 1\n")
    reload("script.other.key = 1\nscript.other.optional = true\n")
    reload("")
    ctl(t, "script", "load", write(folder, "other", KEYS), broker=broker)
    reload("script.other.key = 1\n")


def test_trial(t):
    world = World(t)
    other = write(sdk.folder(t), "keys", NOBODY)
    world.ctl("trial", "keys", other)
    world.works()
    trial = world.info()["trial"]
    assert (trial["compared"], trial["different"], trial["only_old"]) == (2, 2, 2), trial
    world.ctl("promote", "keys")
    world.routes_nothing()
    world.ctl("rollback", "keys")
    world.works()


def test_reload_of_the_language(t):
    world = World(t)
    said = ctl(t, "plugin", "reload", "lua", broker=world.broker)
    assert said.endswith(", with 1 script of it\n"), said
    world.works()
    assert world.info()["exchange_types"][0]["instances"] == 1


# --- under load

@limit(90)
def test_many_swaps_under_load(t):
    """Other versions of the script and of its language, trials and roll-backs while three clients publish with confirms,
    and others bind: every message is once where it belongs, in its publisher's order."""
    world = World(t)
    texts = [KEYS + "-- version %d\n" % n for n in (1, 2)]
    publishers = [Publisher(t, world.broker, i * 10000000) for i in range(3)]
    for publisher in publishers:
        publisher.start()
    extra = t.connect(world.broker).channel()
    extra.queue_declare("c")
    for i in range(30):
        world.write(texts[i % 2])
        world.ctl("reload", "keys")
        extra.queue_bind("c", "e", "other%d" % i)
        if i % 3 == 0:
            extra.exchange_declare("e%d" % i, "x-keys")
        if i % 5 == 1:
            world.ctl("rollback", "keys")
        if i % 5 == 2:
            ctl(t, "plugin", "reload", "lua", broker=world.broker)
        if i % 5 == 3:
            world.write(BROKEN)
            world.ctl("reload", "keys", status=70)
        if i % 10 == 4:
            world.ctl("trial", "keys", world.path)
            world.ctl("promote", "keys")
    for publisher in publishers:
        publisher.over.set()
        publisher.join()
        assert publisher.problem is None, publisher.problem
    assert world.info()["exchange_types"][0]["instances"] == 11
    for queue in "ab":
        got = [int(body) for body in t.bodies(world.channel, queue)]
        for publisher in publishers:
            mine = [n for n in got if publisher.numbers <= n < publisher.numbers + 10000000]
            assert mine == publisher.sent[queue], (queue, len(mine), len(publisher.sent[queue]))
        assert len(got) == sum(len(publisher.sent[queue]) for publisher in publishers)
    assert t.bodies(extra, "c") == []
