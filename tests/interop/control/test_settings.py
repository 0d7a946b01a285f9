# SPDX-License-Identifier: MIT
"""The log, its levels and its file; the configuration in force; limits that are set while the broker runs; wait."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

from lib import broker as brokers
from lib.runner import limit
from lib.shuntctl import ctl, only_shunt, shuntctl_of, shuntd_with, start_ctl


def folder(t):
    path = tempfile.mkdtemp(prefix="shunt-interop-settings-")
    t.cleanup(lambda: shutil.rmtree(path, ignore_errors=True))
    return path


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def environment(t, broker):
    return json.loads(ctl(t, "environment", "--formatter", "json", broker=broker))


# --- The log's file


def test_log_file(t):
    only_shunt(t)
    path = os.path.join(folder(t), "shunt.log")
    broker = t.shuntd("log.file=" + path, "log.console=false")
    assert " I server[0]: started: " in read(path), read(path)
    assert broker.log_tail() == "", broker.log_tail()
    assert json.loads(ctl(t, "status", "--formatter", "json", broker=broker))["log_files"] == [path]
    os.rename(path, path + ".1")
    ctl(t, "declare_queue", "before", broker=broker)
    assert 'event=queue.created' in read(path + ".1") and not os.path.exists(path)
    assert ctl(t, "rotate_logs", broker=broker) == "Opening the log file again ...\n"
    ctl(t, "declare_queue", "behind", broker=broker)
    assert '"behind"' in read(path) and '"behind"' not in read(path + ".1")


def test_sighup_opens_the_log_file_again(t):
    """As logrotate wants it; also without a configuration file."""
    only_shunt(t)
    path = os.path.join(folder(t), "shunt.log")
    broker = t.shuntd("log.file=" + path)
    os.rename(path, path + ".1")
    broker.process.send_signal(signal.SIGHUP)
    t.wait(lambda: os.path.exists(path) and "configuration reloaded" in read(path), "the file")
    # the console has it as well, behind the file
    t.wait(lambda: "configuration reloaded" in broker.log_tail(), "the line on the console")


def test_log_file_that_cannot_be_opened(t):
    only_shunt(t)
    place = folder(t)
    done = subprocess.run([t.broker.shuntd, "-o", "data_dir=" + place, "-o", "log.file=/no/such/folder/shunt.log"],
                          stderr=subprocess.PIPE, timeout=t.limit, check=False, encoding="utf-8")
    assert done.returncode == 78 and done.stderr.endswith(
        ' E config: cannot open the log file: path="/no/such/folder/shunt.log" reason="No such file or directory"\n'), done
    # while it runs: what is there stays
    path = os.path.join(place, "shunt.log")
    broker = t.shuntd("log.file=" + path)
    os.unlink(path)
    os.mkdir(path)
    assert ctl(t, "rotate_logs", broker=broker, status=70) == \
        "Error:\ncannot open the log file '%s': Is a directory\n" % path
    ctl(t, "ping", broker=broker)


def test_a_start_that_fails_says_why(t):
    """Also where the log goes elsewhere, or nowhere."""
    only_shunt(t)
    place = folder(t)
    silent = ["-o", "log.console=false", "-o", "log.level=none", "-o", "log.server.level=none"]
    socket = os.path.join(place, "no-folder-here")
    with open(socket, "w", encoding="utf-8"):
        pass
    for more, status, text in (
            (["-o", "listeners.tcp.1=192.0.2.1:5672"], 78, "cannot listen"),
            (["-o", "control.socket=%s/socket" % socket], 78, "cannot open the control socket"),
            (["-o", "plugin=no-such-plugin"], 78, "cannot load plugin"),
            (["-o", "plugin=no-such-plugin", "--check-config"], 78, "cannot load plugin"),
            (["-o", "load_definitions=/no/such/file"], 78, "/no/such/file"),
            (["-o", "data_dir=%s/data" % socket], 73, "data directory")):
        done = subprocess.run(
            [t.broker.shuntd, "-o", "data_dir=" + os.path.join(place, "data"), "-o", "plugins.dir=" + t.broker.plugins,
             "-o", "listeners.tcp.1=127.0.0.1:%d" % brokers.free_ports(1)[0], "-o", "log.file=" + os.path.join(place, "shunt.log"),
             "-o", "control.socket=" + os.path.join(place, "socket")] + silent + more,
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=t.limit, check=False, encoding="utf-8")
        lines = done.stderr.splitlines()
        assert done.returncode == status and len(lines) == 1 and " E " in lines[0] and text in lines[0], (more, done)
    assert read(os.path.join(place, "shunt.log")) == ""


def test_log_levels(t):
    only_shunt(t)
    broker = t.shuntd("log.level=warning", "log.audit.level=info", "log.plugin.level=error")
    ctl(t, "declare_queue", "seen", broker=broker)
    text = broker.log_tail()
    assert '"seen"' in text and "listening" not in text and "loaded: " not in text, text
    assert ctl(t, "set_log_level", "error", broker=broker) == 'Setting log level to "error" ...\n'
    ctl(t, "declare_queue", "hidden", broker=broker)
    assert '"hidden"' not in broker.log_tail()   # as rabbitmqctl: categories have it as well
    assert ctl(t, "set_log_level", "audit", "info", broker=broker) == \
        'Setting log level of category "audit" to "info" ...\n'
    ctl(t, "declare_queue", "seen again", broker=broker)
    assert '"seen again"' in broker.log_tail()
    found = environment(t, broker)
    assert (found["log.level"], found["log.audit.level"]) == ("error", "info") and "log.plugin.level" not in found, found
    assert ctl(t, "set_log_level", "nosuch", "info", broker=broker, status=65) == \
        "Error:\nthere is no log category nosuch\n"
    ctl(t, "set_log_level", "none", broker=broker)
    before = broker.log_tail()
    ctl(t, "declare_queue", "silence", broker=broker)
    assert broker.log_tail() == before


@limit(60)
def test_set_log_level_of_both(t):
    """What rabbitmqctl says, too."""
    for level in ("debug", "warning", "critical", "none", "notice", "error", "info"):
        assert ctl(t, "set_log_level", level) == 'Setting log level to "%s" ...\n' % level
    assert ctl(t, "-q", "set_log_level", "info") == ""
    for level in ("nosuch", "DEBUG"):
        assert ctl(t, "set_log_level", level, status=69) == (
            "Error:\nlevel %s is not supported. Try one of debug, info, warning, error, critical, none\n" % level)
    assert ctl(t, "set_log_level", status=64).startswith("Error (argument validation): not enough arguments.\n")


def test_wrong_log_keys(t):
    only_shunt(t)
    for option, text in (("log.nosuch.level=info", "-o: unknown key 'log.nosuch.level'"),
                         ("log.console=x", "-o: bad value 'x' for 'log.console': expected true or false")):
        done = subprocess.run([t.broker.shuntd, "-o", option, "--check-config"], stderr=subprocess.PIPE, timeout=t.limit,
                              check=False, encoding="utf-8")
        assert done.returncode == 78 and text in done.stderr, (option, done)


# --- The configuration in force


def test_environment(t):
    only_shunt(t)
    broker, _ = shuntd_with(t, folder(t), "heartbeat = 17\ndefault_pass = hush-hush\nlog.queue.level = debug\n")
    output = ctl(t, "environment", broker=broker)
    lines = output.split("\n")
    assert re.match("^Application environment of node shunt@[^ ]+ ...$", lines[0]), output
    assert "heartbeat = 17" in lines and "log.queue.level = debug" in lines and "default_user = guest" in lines, output
    assert "plugin = exchange-direct" in lines and "plugin = exchange-topic" in lines, output
    assert "hush" not in output and "default_pass" not in output
    assert lines[1:-1] == sorted(lines[1:-1], key=lambda line: line.split(" = ")[0])
    found = environment(t, broker)
    assert found["heartbeat"] == 17 and found["log.console"] is True and "exchange-fanout" in found["plugin"], found
    assert ctl(t, "environment", "-q", broker=broker).startswith("channel_max = 2047\n")


def test_environment_can_be_read_again(t):
    """Its lines are a configuration."""
    only_shunt(t)
    broker = t.shuntd("log.level=debug")
    path = os.path.join(folder(t), "again.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write(ctl(t, "environment", "-q", broker=broker))
    done = subprocess.run([t.broker.shuntd, "-c", path, "--check-config"], stderr=subprocess.PIPE, timeout=t.limit,
                          check=False, encoding="utf-8")
    assert done.returncode == 0, done


def test_reload(t):
    only_shunt(t)
    broker, path = shuntd_with(t, folder(t), "log.level = info\n")
    assert ctl(t, "reload", broker=broker) == "Reloading the configuration ...\nin force now: nothing new\n"
    with open(path, "w", encoding="utf-8") as f:
        f.write("log.level = warning\nheartbeat = 3\nvm_memory_high_watermark.absolute = 1GB\n")
    assert ctl(t, "reload", "-q", broker=broker) == \
        "in force now: log.level, vm_memory_high_watermark.absolute; after a restart: heartbeat\n"
    found = environment(t, broker)
    assert (found["log.level"], found["vm_memory_high_watermark.absolute"], found["heartbeat"]) == (
        "warning", 10 ** 9, 60), found
    with open(path, "a", encoding="utf-8") as f:
        f.write("nonsense = 1\n")
    assert ctl(t, "reload", broker=broker, status=78) == "Error:\n%s:4: unknown key 'nonsense'\n" % path
    assert "E server[0]: configuration not reloaded: %s:4: unknown key 'nonsense'" % path in broker.log_tail()
    os.unlink(path)
    assert ctl(t, "reload", broker=broker, status=78) == "Error:\n%s: No such file or directory\n" % path


def test_reload_takes_another_log_file(t):
    only_shunt(t)
    place = folder(t)
    broker, path = shuntd_with(t, folder(t), "log.file = %s/one\n" % place)
    with open(path, "w", encoding="utf-8") as f:
        f.write("log.dir = %s\nlog.file = two\n" % place)
    ctl(t, "reload", broker=broker)
    ctl(t, "declare_queue", "q", broker=broker)
    assert '"q"' in read(place + "/two") and '"q"' not in read(place + "/one")
    with open(path, "w", encoding="utf-8") as f:
        f.write("log.file = %s/no/such/folder\n" % place)
    assert "cannot open the log file" in ctl(t, "reload", broker=broker, status=78)
    ctl(t, "declare_queue", "r", broker=broker)
    assert '"r"' in read(place + "/two")
    with open(path, "w", encoding="utf-8") as f:
        f.write("log.file = false\n")
    ctl(t, "reload", broker=broker)
    ctl(t, "declare_queue", "s", broker=broker)
    assert '"s"' not in read(place + "/two") and environment(t, broker)["log.file"] is False


# --- Limits


@limit(60)
def test_set_vm_memory_high_watermark(t):
    """What rabbitmqctl says, too."""
    for value, shown in (("0.4", "0.4"), ("1", "1"), ("5e-1", "5e-1"), ("absolute 1GB", "1GB bytes"),
                         ("absolute 1073741824", "1073741824 bytes")):
        output = ctl(t, "set_vm_memory_high_watermark", *value.split())
        assert re.match("^Setting memory threshold on [^ ]+ to %s ...\n$" % shown, output), output
    for value, status, text in (
            ("absolute x", 65, "Bad argument."), ("nosuch", 65, "Bad argument."), (".5", 65, "Bad argument."),
            ("0.4abc", 65, "Bad argument."), ("2", 65, "Bad argument: The threshold should be a fraction between 0.0 and 1.0"),
            ("-1", 65, "Bad argument: The threshold should be a fraction between 0.0 and 1.0"),
            ("absolute 1.5GB", 65, "Bad argument: The threshold should be an integer."),
            ("absolute", 64, "not enough arguments."), ("", 64, "not enough arguments."), ("0.4 x", 64, "too many arguments."),
            ("absolute 2 3", 64, "too many arguments.")):
        output = ctl(t, "set_vm_memory_high_watermark", *value.split(), status=status)
        assert output.startswith("Error (argument validation): %s\n" % text), (value, output)


@limit(60)
def test_set_disk_free_limit(t):
    """What rabbitmqctl says, too."""
    for value, shown in (("1GB", "1GB bytes"), ("1000", "1000 bytes"), ("mem_relative 0.1", "0.1 times the total RAM"),
                         ("50MB", "50MB bytes")):
        output = ctl(t, "set_disk_free_limit", *value.split())
        assert re.match("^Setting disk free limit on [^ ]+ to %s ...\n$" % shown, output), output
    for value, status, text in (
            ("x", 65, "Bad argument."), ("1.5", 65, "Bad argument."), ("mem_relative x", 65, "Bad argument."),
            ("mem_relative -1", 65, "Bad argument."), ("mem_relative", 64, "not enough arguments."),
            ("", 64, "not enough arguments."), ("1 2", 64, "too many arguments.")):
        output = ctl(t, "set_disk_free_limit", *value.split(), status=status)
        assert output.startswith("Error (argument validation): %s\n" % text), (value, output)


def alarms(t, broker):
    status = json.loads(ctl(t, "status", "--formatter", "json", broker=broker))
    return sorted(alarm["resource"] for alarm in status["alarms"])


def test_limits_have_their_effect(t):
    only_shunt(t)
    broker = t.shuntd()
    client = t.wire_to(broker)
    client.call(1, "queue.declare", queue="q")
    client.publish(1, "", "q", bytes(1000))
    client.expect_quiet(1)
    ctl(t, "set_vm_memory_high_watermark", "absolute", "1", broker=broker)
    assert alarms(t, broker) == ["memory"]
    ctl(t, "set_disk_free_limit", "900000000GB", broker=broker)
    assert alarms(t, broker) == ["disk", "memory"]
    ctl(t, "set_vm_memory_high_watermark", "0.9", broker=broker)
    ctl(t, "set_disk_free_limit", "1MB", broker=broker)
    t.wait(lambda: alarms(t, broker) == [], "the alarms' end")
    found = environment(t, broker)
    assert found["disk_free_limit.absolute"] == 10 ** 6, found
    assert 'event=setting.changed by="uid=' in broker.log_tail()


# --- wait


def test_wait(t):
    only_shunt(t)
    broker = t.shuntd()
    pid = str(broker.process.pid)
    path = os.path.join(folder(t), "pid")
    with open(path, "w", encoding="ascii") as f:
        f.write(pid + "\n")
    end = "Waiting for the broker at '%s' while OS process '%s' is running\nThe broker at '%s' is running\n" % (
        broker.control_socket, pid, broker.control_socket)
    assert ctl(t, "wait", "--pid", pid, broker=broker) == end
    assert ctl(t, "wait", path, broker=broker) == \
        "Waiting for pid file '%s' to appear\npid is %s\n%s" % (path, pid, end)
    assert ctl(t, "wait", "-q", path, broker=broker) == ""
    assert ctl(t, "await_startup", broker=broker) == ""
    assert ctl(t, "wait", path + ".none", "-t", "1", broker=broker, status=75).startswith("Error: operation wait on node ")
    for arguments in ((path, "--pid", pid), ("--pid", "x"), (path, path)):
        assert ctl(t, "wait", *arguments, broker=broker, status=64).startswith("Error (argument validation): "), arguments


def test_wait_for_a_process_that_has_ended(t):
    only_shunt(t)
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert ctl(t, "wait", "--pid", str(ended.pid), status=69) == "Error:\nprocess_not_running\n"


def test_wait_until_it_is_up(t):
    """It begins before the broker does."""
    only_shunt(t)
    broker = t.shuntd()
    broker.end()
    waiting = subprocess.Popen([shuntctl_of(broker), "await_startup", "--socket", broker.control_socket])
    t.cleanup(waiting.kill)
    broker.launch()
    assert waiting.wait(t.limit) == 0
    assert start_ctl(t, "wait", "-q", broker=broker).returncode == 0
