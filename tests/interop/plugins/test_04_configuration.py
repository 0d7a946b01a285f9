# SPDX-License-Identifier: MIT
"""What is wrong in the configuration, or with a plugin: exit status 78, and one line that names the place."""

import os
import signal
import subprocess

from lib import sdk
from lib.case import Skip

HERE = os.path.dirname(os.path.abspath(__file__))


def refused(t, lines, expected, *options):
    """The file's lines are refused, both at a start and by --check-config, with this text as the last line and the
    only error. PATH in the text stands for the file."""
    path = os.path.join(sdk.folder(t), "shunt.conf")
    for more in ((), ("--check-config",)):
        status, said = sdk.check(t, *options, *more, lines=lines, path=path)
        assert status == 78, (status, said)
        errors = [line for line in said if not line.startswith("I ")]
        assert len(errors) == 1 and said[-1] == errors[0], said
        text = errors[0].split(": ", 1)[1]
        assert errors[0].startswith("E ") and text == expected.replace("PATH", path), errors[0]


def refuser(t):
    return sdk.build(t, os.path.join(HERE, "x_refuse.c"))


def test_unknown_key(t):
    refused(t, ["# what follows is wrong", "", "channel_max = 100", "chanel_max = 100"],
            "PATH:4: unknown key 'chanel_max'")


def test_unknown_key_as_an_option(t):
    refused(t, ["channel_max = 100"], "-o: unknown key 'chanel_max'", "-o", "chanel_max=100")


def test_bad_values(t):
    number = "expected a whole number from %d to %d"
    for value in ("many", "", "-1", "65536", "100 # not", "1e3"):
        line = "channel_max = " + value
        shown = value.split("#")[0].strip()
        if shown == "100":
            continue
        refused(t, ["", line], "PATH:2: bad value '%s' for 'channel_max': " % shown + number % (0, 65535))
    refused(t, ["log.level = loud"],
            "PATH:1: bad value 'loud' for 'log.level': expected debug, info, notice, warning, error, critical or none")
    refused(t, ["frame_max = 4095"], "PATH:1: bad value '4095' for 'frame_max': " + number % (4096, 1 << 30))
    for value in ("::1", "[localhost]:5672", "host"):   # the first is port 1 of no address
        refused(t, ["listeners.tcp.1 = " + value], "PATH:1: bad value '%s' for 'listeners.tcp.1': expected a port, or an "
                "address and a port as in 127.0.0.1:5672 or [::1]:5672" % value)
    refused(t, ["plugin ="], "PATH:1: bad value '' for 'plugin': expected a plugin's name or the path of its file")


def test_no_setting_at_all(t):
    refused(t, ["channel_max = 100", "channel_max 100"], "PATH:2: expected key = value")


def test_first_error_is_the_one(t):
    refused(t, ["a = 1", "b = 2"], "PATH:1: unknown key 'a'")


def test_missing_file(t):
    path = os.path.join(sdk.folder(t), "no-such.conf")
    if not hasattr(t.broker, "shuntd"):
        raise Skip("needs a shuntd of its own")
    done = subprocess.run([t.broker.shuntd, "-c", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=t.limit, check=False)
    assert done.returncode == 78, done
    assert done.stdout.decode().endswith(" E config: %s: No such file or directory\n" % path), done.stdout


def test_missing_plugin(t):
    path = sdk.plugin_path(t, "no-such-plugin")
    refused(t, ["plugin = exchange-direct", "plugin = no-such-plugin"],
            "PATH:2: cannot load plugin 'no-such-plugin': %s: cannot open shared object file: No such file or directory"
            % path)


def test_missing_plugin_by_path(t):
    refused(t, ["plugin = /no/such.so"], "PATH:1: cannot load plugin '/no/such.so': /no/such.so: cannot open shared "
                                         "object file: No such file or directory")


def test_missing_plugin_as_an_option(t):
    refused(t, [], "-o: cannot load plugin '/no/such.so': /no/such.so: cannot open shared object file: No such file "
                   "or directory", "-o", "plugin=/no/such.so")


def test_missing_plugin_of_the_built_in_list(t):
    """No line names it, so none is told."""
    folder = sdk.folder(t)
    refused(t, ["plugins.dir = " + folder], "cannot load plugin 'exchange-direct': %s/exchange-direct.so: cannot open "
                                            "shared object file: No such file or directory" % folder)


def test_file_that_is_no_plugin(t):
    path = os.path.join(sdk.folder(t), "text.so")
    with open(path, "w", encoding="ascii") as f:
        f.write("this is no shared object, though it is longer than the header of one would be, by some bytes\n")
    refused(t, ["plugin = " + path], "PATH:1: cannot load plugin '%s': %s: invalid ELF header" % (path, path))


def test_library_that_is_no_plugin(t):
    source, library = os.path.join(sdk.folder(t), "library.c"), os.path.join(sdk.folder(t), "library.so")
    with open(source, "w", encoding="ascii") as f:
        f.write("int answer(void);\nint answer(void) { return 42; }\n")
    sdk.build(t, source, library)
    refused(t, ["plugin = " + library],
            "PATH:1: cannot load plugin '%s': %s does not export shunt_plugin" % (library, library))


def test_plugin_for_another_abi(t):
    """What a later SDK would make of the source: its major number is another."""
    folder = sdk.folder(t)
    source, library = os.path.join(folder, "later.c"), os.path.join(folder, "later.so")
    with open(os.path.join(HERE, "x_refuse.c"), encoding="ascii") as f:
        text = f.read().replace(".abi_major = SHUNT_ABI_MAJOR", ".abi_major = SHUNT_ABI_MAJOR + 1")
    with open(source, "w", encoding="ascii") as f:
        f.write(text)
    sdk.build(t, source, library)
    major, minor = sdk.abi()
    refused(t, ["plugin = " + library],
            "PATH:1: cannot load plugin '%s': it is built for ABI %d.%d, this broker has %d.%d" %
            (library, major + 1, minor, major, minor))


def test_plugin_that_fails_to_start(t):
    path = refuser(t)
    refused(t, ["plugin = exchange-direct", "plugin = " + path, "plugin.x-refuse.moody = true"],
            "PATH:2: cannot load plugin '%s': it does not start: the stars are not right" % path)


def test_plugin_named_twice(t):
    refused(t, ["plugin = exchange-direct", "plugin = exchange-topic", "plugin = exchange-direct"],
            "PATH:3: cannot load plugin 'exchange-direct': a plugin named 'exchange-direct' is loaded already")
    path = sdk.plugin_path(t, "exchange-direct")
    refused(t, ["plugin = exchange-direct", "plugin = " + path],
            "PATH:2: cannot load plugin '%s': a plugin named 'exchange-direct' is loaded already" % path)


def test_unknown_option_of_a_plugin(t):
    path = refuser(t)
    refused(t, ["plugin.x-refuse.mood = true", "plugin = " + path],
            "PATH:1: plugin 'x-refuse' has no option 'mood'")
    refused(t, ["plugin = exchange-topic", "plugin.exchange-topic.depth = 3"],
            "PATH:2: plugin 'exchange-topic' has no option 'depth'")
    refused(t, [], "-o: plugin 'exchange-topic' has no option 'depth'", "-o", "plugin.exchange-topic.depth=3")


def test_bad_option_of_a_plugin(t):
    path = refuser(t)
    refused(t, ["plugin = " + path, "plugin.x-refuse.moody = sometimes"],
            "PATH:2: bad value 'sometimes' for 'plugin.x-refuse.moody': expected true or false")
    for value in ("0", "11", "long", ""):
        refused(t, ["plugin = " + path, "plugin.x-refuse.patience = " + value],
                "PATH:2: bad value '%s' for 'plugin.x-refuse.patience': expected a whole number from 1 to 10" % value)


def test_option_of_a_plugin_that_is_not_loaded(t):
    refused(t, ["plugin = exchange-direct", "plugin.exchange-topic.depth = 3"],
            "PATH:2: plugin 'exchange-topic' is not loaded")


def test_option_without_a_name_or_a_key(t):
    for key in ("plugin.depth", "plugin..depth", "plugin.exchange-topic."):
        refused(t, [key + " = 3"], "PATH:1: '%s' is not plugin.NAME.KEY" % key)


def test_check_config_of_a_good_one(t):
    """It loads the plugins; it neither listens nor touches the data."""
    path = refuser(t)
    folder = sdk.folder(t)
    status, said = sdk.check(
        t, "--check-config", path=os.path.join(folder, "shunt.conf"),
        lines=["# good", "channel_max = 100 # so many", "plugin = exchange-direct", "plugin = " + path,
               "plugin.x-refuse.patience = 10", "  log.level=info  ", ""])
    assert status == 0, (status, said)
    assert [line.split(" ")[2:4] for line in said] == [["loaded:", "name=exchange-direct"],
                                                       ["loaded:", "name=x-refuse"]], said
    assert os.listdir(folder) == ["shunt.conf"], os.listdir(folder)


def test_check_config_while_a_broker_runs(t):
    """On its port and with its data, which it does not want."""
    plugins = os.path.dirname(sdk.plugin_path(t, "any"))
    broker = t.shuntd()
    done = subprocess.run(
        [broker.shuntd, "--check-config", "-o", "plugins.dir=" + plugins,
         "-o", "data_dir=%s/data" % broker.directory, "-o", "listeners.tcp.1=127.0.0.1:%d" % broker.port],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=t.limit, check=False)
    assert done.returncode == 0, done.stdout
    t.wire_to(broker)


def test_check_config_says_nothing_with_a_quiet_log(t):
    status, said = sdk.check(t, "--check-config", lines=["log.level = warning"])
    assert (status, said) == (0, []), (status, said)


def test_reload_of_a_bad_file_changes_nothing(t):
    """SIGHUP with a file that has become wrong: one line, and the broker goes on."""
    folder = sdk.folder(t)
    path = os.path.join(folder, "shunt.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write("log.level = info\n")
    broker = t.shuntd(wrapper=["/bin/sh", "-c", 'shuntd=$1; shift; exec "$shuntd" -c "%s" "$@"' % path, "sh"])
    client = t.wire_to(broker)
    with open(path, "w", encoding="ascii") as f:
        f.write("log.level = info\nplugin = /no/such.so\nchanel_max = 3\n")
    broker.process.send_signal(signal.SIGHUP)
    line = "configuration not reloaded: %s:3: unknown key 'chanel_max'" % path
    t.wait(lambda: line in broker.log_tail(), line)
    client.expect_quiet(1)
