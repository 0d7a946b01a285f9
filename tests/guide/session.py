# SPDX-License-Identifier: MIT
"""The console of the guide: its shell, and the comparison of what is shown with what came."""

import glob
import os
import re
import signal
import subprocess
import sys
import threading

LIMIT_SECONDS = 120


def commands_of(text):
    """[(command, [lines of output])]; a command goes on behind a backslash at a line's end."""
    commands = []
    continued = False
    for line in text.splitlines():
        if continued:
            commands[-1][0] += "\n" + line
        elif line.startswith("$ "):
            commands.append([line[2:], []])
        else:
            assert commands, "output without a command: %s" % line
            commands[-1][1].append(line)
        continued = line.endswith("\\")
    assert commands, "a console without a command"
    return commands


def is_as_shown(expected, output):
    """Whether the output is what the guide shows; "..." stands for any text, and alone on a line for any lines."""
    pattern = ""
    for line in expected:
        if line.strip() == "...":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.rstrip().split("...")) + r"[ \t]*\n"
    return re.fullmatch(pattern, output + "\n" if output and not output.endswith("\n") else output) is not None


class Shell:
    """One shell for all commands, in a session of its own."""

    def __init__(self, folder, prefix):
        self.top = os.path.join(folder, "work")
        tools = os.path.join(folder, "tools")
        os.mkdir(self.top)
        os.mkdir(tools)
        # pika is this Python's
        os.symlink(sys.executable, os.path.join(tools, "python3"))
        prefix = os.path.abspath(prefix)
        path = [tools, os.path.join(prefix, "bin"), os.path.join(prefix, "sbin"), os.environ["PATH"]]
        environment = dict(os.environ, PATH=":".join(path), HOME=self.top, LANG="C.UTF-8", PYTHONUNBUFFERED="1",
                           PKG_CONFIG_PATH=os.path.join(prefix, "lib", "pkgconfig"), MAKEFLAGS="", MAKELEVEL="")
        environment.pop("SHUNT_SDK_DIR", None)
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=self.top, env=environment, encoding="utf-8", errors="replace",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        self.count = 0

    def run(self, command):
        """(output, exit status); the shell is killed when it takes too long."""
        self.count += 1
        mark = "-- end of command %d of %d:" % (self.count, os.getpid())
        killer = threading.Timer(LIMIT_SECONDS, self.end)
        killer.start()
        try:
            self.process.stdin.write("{ %s\n} </dev/null\nprintf '\\n%s %%d\\n' $?\n" % (command, mark))
            self.process.stdin.flush()
            lines = []
            for line in self.process.stdout:
                if line.startswith(mark):
                    output = "".join(lines)
                    # the line break in front of the mark is ours
                    return output[:-1], int(line[len(mark):])
                lines.append(line)
        finally:
            killer.cancel()
        raise AssertionError("$ %s\nended the shell, or took more than %d s; it said\n%s" % (
            command, LIMIT_SECONDS, "".join(lines)))

    def folder(self):
        return self.run("pwd")[0].strip()

    def processes(self):
        """The command lines of what runs in its session, without itself."""
        found = []
        for path in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(path, encoding="utf-8", errors="replace") as f:
                    state, _, _, session = f.read().rsplit(")", 1)[1].split()[:4]
                pid = int(path.split("/")[2])
                if int(session) == self.process.pid and pid != self.process.pid and state != "Z":
                    with open("/proc/%d/cmdline" % pid, encoding="utf-8", errors="replace") as f:
                        found.append(f.read().replace("\0", " ").strip())
            except OSError:   # it has ended
                continue
        return found

    def show_logs(self):
        """The ends of the logs that the guide has written, for who looks for what went wrong."""
        for path in glob.glob(os.path.join(self.top, "**", "*.log"), recursive=True):
            with open(path, encoding="utf-8", errors="replace") as f:
                tail = "".join("  | " + line for line in f.readlines()[-30:])
            print("%s:\n%s" % (os.path.relpath(path, self.top), tail))

    def end(self):
        """Kills whatever runs in it."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
