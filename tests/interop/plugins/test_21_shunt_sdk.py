# SPDX-License-Identifier: MIT
"""What `shunt-sdk new` writes: it builds without a warning, passes its own tests, and works in a broker."""

import os
import re
import shutil
import stat

from lib import process, sdk
from lib.case import Skip
from lib.runner import limit

FOUR = ["plugin=exchange-direct", "plugin=exchange-fanout", "plugin=exchange-topic", "plugin=exchange-headers"]
STRICT = "CFLAGS=-O2 -Werror -Wconversion -Wshadow"


def check_broker(t, directory, broker, success):
    # OpenSSL's variable: whom Python trusts if it is told nothing else
    trusted = {"SSL_CERT_FILE": broker.authority.file} if broker.authority else {}
    output = sdk.make(t, directory, "check-broker", "PYTHON=" + process.PYTHON, "URL=" + broker.url(vhost=""), **trusted)
    assert success in output, output


def checked(t, kind):
    """A new plugin that gcc and clang have built, and shunt-plugin-test has passed."""
    name = "x-" + kind
    directory = sdk.new(t, kind, name)
    for compiler in filter(shutil.which, ("gcc", "clang")):
        sdk.make(t, directory, "clean", "all", STRICT, "CC=" + compiler)
    # how fast it is is another matter
    output = sdk.make(t, directory, "check", "PLUGIN_TEST=" + sdk.tool(t, "shunt-plugin-test"),
                      "TEST_FLAGS=--skip speed --rounds 20", limit=90)
    assert re.search(r"^[1-9]\d* passed, 0 failed$", output, re.MULTILINE), output
    return directory


@limit(120)
def test_exchange(t):
    directory = checked(t, "exchange")
    broker = t.shuntd(*FOUR, "plugin=%s/x-exchange.so" % directory)
    check_broker(t, directory, broker, "x-exchange: 4 messages, each where it belongs")


@limit(60)
def test_policy(t):
    directory = checked(t, "policy")
    broker = t.shuntd(*FOUR, "plugin=%s/x-policy.so" % directory, "plugin.x-policy.users=%s/users.example" % directory)
    check_broker(t, directory, broker, "x-policy: who may is let in, and who may not is not")


@limit(60)
def test_hook(t):
    directory = checked(t, "hook")
    broker = t.shuntd(*FOUR, "plugin=%s/x-hook.so" % directory, "plugin.x-hook.max-body=1000")
    check_broker(t, directory, broker, "x-hook: the message is stamped")


@limit(120)
def test_autotools(t):
    """autoreconf without a warning, configure, make, make check and make install."""
    if not shutil.which("autoreconf"):
        raise Skip("autoconf is not installed")
    for kind in ("exchange", "policy"):
        directory = sdk.new(t, kind, "x-auto", "--autotools")
        found = sdk.environment(t)
        process.output_of(t, "autoreconf", "-i", "-Werror", cwd=directory, limit=60)
        process.output_of(t, "./configure", "-q", STRICT, cwd=directory, limit=60, **found)
        sdk.make(t, directory, "check", "PLUGIN_TEST=/nowhere")
        root = os.path.join(directory, "root")
        sdk.make(t, directory, "install", "DESTDIR=" + root)
        folders = [folder for folder, _, files in os.walk(root) if "x-auto.so" in files]
        assert len(folders) == 1 and folders[0].endswith("/shunt/plugins"), folders


def test_make_install(t):
    directory = sdk.new(t, "hook", "x-plain")
    root = os.path.join(directory, "root")
    sdk.make(t, directory, "install", "DESTDIR=" + root)
    folders = [folder for folder, _, files in os.walk(root) if "x-plain.so" in files]
    assert len(folders) == 1 and folders[0].endswith("/shunt/plugins"), folders


def test_flags_suffice(t):
    directory = sdk.new(t, "exchange", "x-flags")
    script = sdk.tool(t, "shunt-sdk")
    own = {"SHUNT_SDK_DIR": sdk.SOURCES}
    both = process.output_of(t, script, "flags", **own).split()
    parts = [process.output_of(t, script, "flags", part, **own).split() for part in ("--cflags", "--ldflags")]
    assert both == parts[0] + parts[1]
    process.output_of(t, *sdk.COMPILER, *both, "x-flags.c", "-o", "x-flags.so", cwd=directory)
    t.shuntd("plugin=%s/x-flags.so" % directory)


def refused(t, status, text, *arguments, cwd=None):
    output = process.output_of(t, sdk.tool(t, "shunt-sdk"), *arguments, status=status, cwd=cwd,
                               SHUNT_SDK_DIR=sdk.SOURCES)
    assert output.startswith("shunt-sdk: ") and text in output, output


def test_names_are_checked(t):
    folder = sdk.folder(t)
    for name in ("", "9x", "-x", "a/b", "a b", "../x", "x;y", "ü", "a\nb", "x" * 101):
        refused(t, 64, "is no name of a plugin" if len(name) < 100 else "at most 100", "new", "exchange", name, folder)
    for name in ("topic", "exchange-direct", "amq-mine", "amqx"):
        refused(t, 64, "", "new", "exchange", name, folder)
    assert os.listdir(folder) == []


def test_usage(t):
    for arguments in ((), ("new",), ("new", "exchange"), ("new", "queue", "x"), ("new", "hook", "x", "y", "z"),
                      ("flags", "--all"), ("flags", "--cflags", "--ldflags"), ("make",)):
        refused(t, 64, "Usage: ", *arguments)


def test_nothing_is_overwritten(t):
    """One file in the way, or a link to nowhere, and nothing is written; a folder with other files is all right."""
    folder = sdk.folder(t)
    with open(os.path.join(folder, "notes.txt"), "w", encoding="ascii") as f:
        f.write("mine")
    for name in ("README.md", "x-y.c", ".gitignore"):
        path = os.path.join(folder, name)
        os.symlink("/nowhere", path)
        refused(t, 73, "is there already; nothing was written", "new", "exchange", "x-y", folder)
        assert sorted(os.listdir(folder)) == sorted([name, "notes.txt"])
        os.unlink(path)
    script = sdk.tool(t, "shunt-sdk")
    process.output_of(t, script, "new", "exchange", "x-y", folder, SHUNT_SDK_DIR=sdk.SOURCES)
    assert "x-y.c" in os.listdir(folder)
    assert os.stat(os.path.join(folder, "test.py")).st_mode & stat.S_IXUSR


def test_without_its_templates(t):
    folder = sdk.folder(t)
    script = sdk.tool(t, "shunt-sdk")
    output = process.output_of(t, script, "new", "hook", "x-y", folder, status=66, SHUNT_SDK_DIR=folder)
    assert "there is no" in output and os.listdir(folder) == [], output


def test_version_names_the_abi(t):
    output = process.output_of(t, sdk.tool(t, "shunt-sdk"), "--version", SHUNT_SDK_DIR=sdk.SOURCES)
    assert output.startswith("shunt-sdk ") and output.endswith("plugin ABI %s.%s\n" % sdk.abi()), output
