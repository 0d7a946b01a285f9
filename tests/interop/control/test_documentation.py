# SPDX-License-Identifier: MIT
"""The manual page, and help, know every command, option and column."""

import os
import re

from lib.case import Skip
from lib.shuntctl import ctl, only_shunt

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "docs", "shuntctl.1")


def commands(t):
    return [line.split()[0] for line in ctl(t, "help", "--list-commands").split("\n") if line.startswith("   ")]


def page():
    if not os.path.exists(PAGE):
        raise Skip("not among the sources")
    with open(PAGE, encoding="utf-8") as f:
        return f.read()


def test_every_command_has_a_paragraph(t):
    only_shunt(t)
    named = set(re.findall(r'^\.(?:B|BI|BR) "?([a-z_]+)', page(), re.M))
    assert not set(commands(t)) - named, sorted(set(commands(t)) - named)


def test_every_column_is_in_the_page(t):
    only_shunt(t)
    text = page()
    for command in commands(t):
        listed = re.search("must be one of (.*)\n", ctl(t, "help", command))
        if listed is None:
            continue
        tables = re.search(r"\.SS %s\n\.TS\n(.*?)\.TE" % command, text, re.S)
        assert tables, "%s has no table of columns" % command
        named = {name for row in tables[1].split("\n") if "\t" in row for name in re.split(", *", row.split("\t")[0])}
        columns = set(listed[1].split(", "))
        assert not columns - named, (command, sorted(columns - named))


def test_every_option_has_a_paragraph(t):
    only_shunt(t)
    text = page().replace("\\-", "-")
    for command in commands(t):
        for option in re.findall(r"--[a-z-]+[a-z]", ctl(t, "help", command)):
            assert option in text, (command, option)


def test_help_of_every_command(t):
    only_shunt(t)
    for command in commands(t):
        text = ctl(t, "help", command)
        assert text == ctl(t, command, "--help"), command
        assert text.startswith("\nUsage\n\nshuntctl [--socket <path>] [--quiet] %s" % command), text
