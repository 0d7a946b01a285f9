# SPDX-License-Identifier: MIT
"""Transcripts: commands of rabbitmqctl with what it prints, as a text that can be read, compared and recorded anew.

    # a remark
    @ queue orders durable        something done with an AMQP client (see transcript_actions.py)
    $ add_user lqz 123            a command, quoted as in a shell; `$*` where the order of lines is not promised
    < secret\\n                    its standard input, with Python's escapes; nothing without such a line
      Adding user "lqz" ...       what it prints, each line after two spaces
    \\ no newline                  after a last line that does not end in one
    ! Error:                      the same of standard error
    = 0                           its exit status
    ~ why Shunt differs           what Shunt prints where that is not the same on purpose, in the same form
      ...
    = 0

Names of nodes, pids and the like are replaced (see `normalise`), in what was recorded and in what comes."""

import re
import shlex

NO_NEWLINE = "\\ no newline"


class Answer:
    """What a command prints, and how it ends."""

    def __init__(self, stdout="", stderr="", status=0):
        self.stdout, self.stderr, self.status = stdout, stderr, status

    def lines(self):
        out = []
        for prefix, text in (("  ", self.stdout), ("! ", self.stderr)):
            parts = text.split("\n")
            rest = parts.pop()
            out += [(prefix + part).rstrip() if not part else prefix + part for part in parts]
            if rest:
                out += [prefix + rest, NO_NEWLINE]
        return out + ["= %d" % self.status]


class Step:
    """A command or an action of a transcript."""

    def __init__(self, line, number):
        self.line, self.number = line, number
        self.unordered = line.startswith("$* ")
        self.is_action = line.startswith("@ ")
        self.arguments = shlex.split(line.partition(" ")[2])
        self.stdin = ""
        self.expected = None   # of rabbitmqctl
        self.reason = None     # why Shunt's is another
        self.own = None        # what Shunt's is then
        self.before = []       # remarks and empty lines

    def expected_of(self, shunt):
        return self.own if shunt and self.own is not None else self.expected

    def text(self, answer=None):
        """The step's lines, with this answer in place of the one it has."""
        out = self.before + [self.line]
        if self.stdin:
            out.append("< " + self.stdin.encode("unicode_escape").decode("ascii"))
        answer = answer or self.expected
        if answer is not None:
            out += answer.lines()
        if self.reason is not None:
            out += ["~ " + line for line in self.reason.split("\n")] + self.own.lines()
        return out


class _Reader:
    def __init__(self, path):
        self.path, self.steps, self.remarks = path, [], []
        self.answer, self.last = None, None
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f.read().split("\n"), 1):
                self.take(line, number)
        if self.remarks and not self.remarks[-1]:
            self.remarks.pop()

    def take(self, line, number):
        if line.startswith(("$ ", "$* ", "@ ")):
            step = Step(line, number)
            step.before, self.remarks, self.answer = self.remarks, [], None
            self.steps.append(step)
        elif not line or line.startswith("#"):
            self.remarks.append(line)
        elif not self.steps or not self.take_of_step(self.steps[-1], line):
            raise ValueError("%s:%d: what is this? %s" % (self.path, number, line))

    def take_of_step(self, step, line):
        if line.startswith("< "):
            step.stdin = line[2:].encode("ascii").decode("unicode_escape")
        elif line.startswith("~ "):
            step.reason = line[2:] if step.own is None else step.reason + "\n" + line[2:]
            step.own = self.answer = Answer()
        else:
            return self.take_of_answer(step, line)
        return True

    def take_of_answer(self, step, line):
        if self.answer is None:
            step.expected = self.answer = Answer()
        if line.startswith("  ") or line == "":
            self.answer.stdout += line[2:] + "\n"
            self.last = "stdout"
        elif line.startswith("!"):
            self.answer.stderr += line[2:] + "\n"
            self.last = "stderr"
        elif line == NO_NEWLINE:
            setattr(self.answer, self.last, getattr(self.answer, self.last)[:-1])
        elif line.startswith("= "):
            self.answer.status = int(line[2:])
        else:
            return False
        return True


def read(path):
    """(steps, remarks after the last)."""
    reader = _Reader(path)
    return reader.steps, reader.remarks


def write(path, steps, remarks, answers):
    """Writes it with other answers: one for each step, None where it has none."""
    lines = [line for step, answer in zip(steps, answers) for line in step.text(answer)]
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines + remarks) + "\n")


NORMALISATIONS = [
    (re.compile(r"(?:rabbit|shunt)\w*@[\w.-]+"), "NODE"),
    (re.compile(r"<(?:NODE|[\w@.-]+\.\d+)\.\d+\.\d+(?:\.\d+)?>"), "<PID>"),
    (re.compile(r"(?m)^(\{:gen|\{:undef|\{:badmatch|\*\*|\s+\(\w+ [\d.]+\)|Stack trace:).*\n"), ""),
]


def normalise(text, more=()):
    for pattern, replacement in list(NORMALISATIONS) + list(more):
        text = pattern.sub(replacement, text)
    return text


def in_order(text):
    """The lines of an answer whose order is not promised, sorted; the comma of JSON's rows does not count."""
    return "".join(line + "\n" for line in sorted(line.lstrip(",") for line in text.split("\n")[:-1]))
