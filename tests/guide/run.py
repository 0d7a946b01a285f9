#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Does what docs/plugins.md, or docs/lua.md, says, with an installed Shunt, and compares what the guide shows with what
comes out.

    run.py --prefix DIR [--guide FILE] [-v]

The word behind a block's language says what becomes of the block:

    console run       each "$ " line is a command of one shell, which starts in an empty folder and must end with status
                      0; the lines below it are its output. "..." stands for any text, alone on a line for any lines
    c file=NAME       the file is written, where the shell is
    c from=PATH       the text is found in that file, below the prefix or where the shell is
    c compile         it compiles, below the header, without a warning
    lua check         a script: the broker that runs accepts it, and its tests pass if it has any
    ini lines         a configuration of these lines is accepted, and so are the scripts that they name
    console aside     only shown

Blocks in sh, C, Lua, Python, diff and console must bear one of them. In place of port 5672 there is a free one. A guide for
authors in C must name all functions of the host that the header has. Exit status 0 when all is so; the last line is "N passed, N failed"."""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "..", "interop"))

import session                                # noqa: E402
import self_test                              # noqa: E402
from lib.broker import free_ports             # noqa: E402

MARKED = ("sh", "console", "c", "lua", "python", "diff")
COMPILE = ["-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function",
           "-Wno-unused-const-variable"]
PRELUDE = "#include <shunt/plugin.h>\n#include <stdio.h>\n#include <string.h>\n"


class Block:
    """A fenced block: the words behind the fence, its text, and its first line's number."""

    def __init__(self, words, text, line):
        self.language, self.marks, self.text, self.line = words[:1], words[1:], text, line

    def value(self, key):
        for mark in self.marks:
            if mark.startswith(key + "="):
                return mark[len(key) + 1:]
        return None


def blocks_of(text):
    blocks, words, begin = [], None, 0
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if words is None:
            words, begin = line[3:].split(), number + 1
        else:
            blocks.append(Block(words, "".join(part + "\n" for part in lines[begin:number]), begin + 1))
            words = None
    assert words is None, "the block that begins in line %d has no end" % begin
    return blocks


class Guide:
    """One run through the guide."""

    def __init__(self, prefix, shell):
        self.prefix, self.shell = prefix, shell
        self.passed = 0

    def follow(self, block):
        """Does what the block's mark says; raises AssertionError when it is not so."""
        if block.value("file"):
            self._write(block)
        elif block.value("from"):
            self._find(block)
        elif "run" in block.marks:
            self._run(block)
        elif "compile" in block.marks:
            self._compile(block)
        elif "check" in block.marks:
            self._check_script(block)
        elif "lines" in block.marks:
            self._check_lines(block)
        elif "aside" not in block.marks:
            assert block.language[:1] and block.language[0] not in MARKED, "a block that nothing is done with"

    def _write(self, block):
        path = os.path.join(self.shell.folder(), block.value("file"))
        with open(path, "w", encoding="utf-8") as f:
            f.write(block.text)
        self.passed += 1

    def _find(self, block):
        name = block.value("from")
        paths = [os.path.join(folder, name) for folder in (self.shell.folder(), self.prefix)]
        found = [path for path in paths if os.path.exists(path)]
        assert found, "there is no %s" % name
        with open(found[0], encoding="utf-8") as f:
            # @NAME@ stands in templates for what the guide shows
            text = re.sub("@NAME@", "x-longest-prefix", f.read())
        assert block.text in text, "the text is not in %s" % found[0]
        self.passed += 1

    def _run(self, block):
        for command, expected in session.commands_of(block.text):
            output, status = self.shell.run(command)
            assert status == 0, "$ %s\nended with status %d; it said\n%s" % (command, status, output)
            assert session.is_as_shown(expected, output), "$ %s\nthe guide shows\n%s\nit said\n%s" % (
                command, "\n".join(expected), output)
            self.passed += 1

    def _compile(self, block):
        source = PRELUDE + "#line %d \"plugins.md\"\n%s" % (block.line, block.text)
        for compiler in filter(shutil.which, ("gcc", "clang")):
            command = [compiler, "-x", "c", *COMPILE, "-I", os.path.join(self.prefix, "include"), "-"]
            done = subprocess.run(command, check=False, input=source, encoding="utf-8", stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
            assert done.returncode == 0, done.stdout
        self.passed += 1

    def _check_script(self, block):
        path = os.path.join(self.shell.folder(), "guide-line-%d.lua" % block.line)
        with open(path, "w", encoding="utf-8") as f:
            f.write(block.text)
        output, status = self.shell.run("shuntctl script test '%s'" % path)
        assert status == 0, "the script is not accepted:\n%s" % output
        tests = len(re.findall("^function test_", block.text, re.MULTILINE))
        assert "%d passed, 0 failed" % tests in output, output
        self.passed += 1

    def _check_lines(self, block):
        """With a broker of its own, which must come up with the scripts, and go again."""
        path = os.path.join(self.shell.folder(), "guide-line-%d.conf" % block.line)
        port = free_ports(1)[0]
        with open(path, "w", encoding="utf-8") as f:
            f.write("listeners.tcp.default = %d\ndata_dir = %s.data\ncontrol.socket = %s.sock\n%s" % (
                port, path, path, block.text))
        output, status = self.shell.run(
            "shuntd -c '%s' 2>'%s.log' & other=$!; until shuntctl --socket '%s.sock' ping >/dev/null 2>&1; do "
            "kill -0 $other 2>/dev/null || break; sleep 0.05; done; shuntctl --socket '%s.sock' script list; "
            "kill $other; wait $other || cat '%s.log'" % (path, path, path, path, path))
        for name in re.findall("^script = (.*)$", block.text, re.MULTILINE):
            assert re.search(r"^%s\t\S+\trunning\t" % re.escape(name), output, re.MULTILINE), output
        assert status == 0, output
        self.passed += 1


def missing_functions(text, prefix):
    """The functions of struct shunt_host that the guide does not name in its code font."""
    with open(os.path.join(prefix, "include", "shunt", "plugin.h"), encoding="utf-8") as f:
        table = re.search(r"^struct shunt_host \{$(.*?)^\};$", f.read(), re.DOTALL | re.MULTILINE).group(1)
    names = re.findall(r"\(\*(\w+)\)\(const struct shunt_host", table)
    assert len(names) > 30, names
    return [name for name in names if "`%s`" % name not in text]


def follow_all(arguments, folder):
    """(passed, failed): the first thing that is not as the guide says ends it, since the rest builds on it."""
    with open(arguments.guide or os.path.join(arguments.prefix, "share/doc/shunt/plugins.md"), encoding="utf-8") as f:
        text = f.read().replace("5672", str(free_ports(1)[0]))
    is_for_c = re.search("^```c ", text, re.MULTILINE)
    missing = missing_functions(text, arguments.prefix) if is_for_c else []
    if missing:
        print("FAILED  the guide does not name functions of the host: %s" % ", ".join(missing))
        return 0, 1
    shell = session.Shell(folder, arguments.prefix)
    guide = Guide(os.path.abspath(arguments.prefix), shell)
    try:
        for block in blocks_of(text):
            if arguments.verbose:
                print("line %d: %s" % (block.line, " ".join(block.language + block.marks)), flush=True)
            try:
                guide.follow(block)
            except AssertionError as error:
                print("FAILED  the guide, line %d: %s" % (block.line, error))
                shell.show_logs()
                return guide.passed, 1
        left = shell.processes()
        if left:
            print("FAILED  the guide left processes behind: %s" % ", ".join(left))
            return guide.passed, 1
        return guide.passed, 0
    finally:
        shell.end()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefix", required=True, help="where Shunt is installed")
    parser.add_argument("--guide", help="default: share/doc/shunt/plugins.md of the prefix")
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args()
    self_test.run(blocks_of)
    folder = tempfile.mkdtemp(prefix="shunt-guide-")
    try:
        passed, failed = follow_all(arguments, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("%d passed, %d failed" % (passed, failed or passed == 0))
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
