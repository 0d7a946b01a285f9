# SPDX-License-Identifier: MIT
"""Transcripts: commands of rabbitmqctl with what it prints, as a text that can be read, compared and recorded anew.

    # a remark
    @ queue orders durable        something done with an AMQP client (class Actions)
    $ add_user lqz 123            a command, quoted as in a shell; `$*` where the order of lines is not promised
    < secret\\n                    its standard input, with Python's escapes; nothing without such a line
      Adding user "lqz" ...       what it prints, each line after two spaces; `|` is an empty one
    \\ no newline                  after a last line that does not end in one
    ! Error:                      the same of standard error
    = 0                           its exit status
    ~ why Shunt differs           what Shunt prints where that is not the same on purpose, in the same form
      ...
    = 0

%FOLDER% is a folder that is removed at the end. Names of nodes, pids and the like are replaced (see `normalise`), in
what was recorded and in what comes."""

import re
import shlex
import subprocess
import tempfile

import pika

from .case import parameters_of

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
            out += [prefix + part if part else "|!"[prefix == "! "] for part in parts]
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
        if line.startswith("  ") or line == "|":
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


# Names, numbers and times that differ from run to run, and what rabbitmqctl's own log adds.
NORMALISATIONS = [(re.compile(pattern), replacement) for pattern, replacement in (
    (r"<?(?:rabbit|shunt)\w*@[\w.-]+>?", lambda match: "<NODE>" if match[0][0] == "<" else "NODE"),
    (r"(?:#PID)?<(?:NODE|\d+\.\d+\.\d+)>", "<NODE>"),
    (r"'?/\S*control\.sock'?", "NODE"),   # what a node is for shuntctl
    (r"\n?\d\d:\d\d:\d\d\.\d+ \[(?:warning|error|notice)\] .*\n", ""),
    (r"(127\.0\.0\.1[:\t])\d+", r"\1PORT"),
    (r"(\"peer_port\":)\d+", r"\1PORT"),
    (r"\x1b\[\d*m", ""),
    (r"\x1b\(0(.*?)\x1b\(B", lambda match: match[1].translate(str.maketrans("lqwktnumvjx", "┌─┬┐├┼┤└┴┘│"))),
    # these are worded by libraries
    (r"(Regular expression '.*' is invalid|JSON decoding error\. Reason): .*", r"\1: REASON"),
    (r"[ \t]+(?=\n)", ""),
)]


def normalise(text):
    for pattern, replacement in NORMALISATIONS:
        text = pattern.sub(replacement, text)
    return text


def in_order(text):
    """The lines of an answer whose order is not promised, sorted; the comma of JSON's rows does not count."""
    return "".join(line + "\n" for line in sorted(line.lstrip(",") for line in text.split("\n")[:-1]))


# What Shunt prints otherwise in many places, and why.
DIFFERENCES = [(re.compile(pattern), replacement) for pattern, replacement in (
    # the options and arguments of usage lines are Shunt's own: there are no node names, but sockets
    (r"(?m)^rabbitmqctl \[.*\] ?(<command>|\w+)( .*)?$", r"rabbitmqctl ... \1"),
    # every error begins alike; rabbitmqctl forgets this where it is about a vhost
    (r"(?m)^(?<!Error:\n)(?=Virtual host '.*' does not exist$)", "Error:\n"),
    # shuntctl has no blanks behind its lines, and not two empty ones at the end of a message
    (r"\n\n\Z", "\n"),
)]


def comparable(answer, unordered):
    """The answer without what differs in many places."""
    stdout, stderr = normalise(answer.stdout), normalise(answer.stderr)
    for pattern, replacement in DIFFERENCES:
        stderr = pattern.sub(replacement, stderr)
    return Answer(in_order(stdout) if unordered else stdout, stderr, answer.status)


def is_idle_difference(step):
    """Whether the step says that Shunt differs, where it does not."""
    return step.own is not None and (comparable(step.own, step.unordered).lines() ==
                                     comparable(step.expected, step.unordered).lines())


class Actions:
    """What transcripts do as an AMQP client. Each is a function named by the action."""

    def __init__(self, broker):
        self.broker = broker
        self.connections = {}

    def connect(self):
        return pika.BlockingConnection(parameters_of(self.broker))

    def run(self, name, *arguments):
        getattr(self, "do_" + name)(*arguments)

    def do_queue(self, name, *flags):
        with self.connect() as connection:
            connection.channel().queue_declare(name, durable="durable" in flags)

    def do_exchange(self, name, kind):
        with self.connect() as connection:
            connection.channel().exchange_declare(name, kind, durable=True)

    def do_delete_exchange(self, name):
        with self.connect() as connection:
            connection.channel().exchange_delete(name)

    def do_bind(self, source, queue, key):
        with self.connect() as connection:
            connection.channel().queue_bind(queue, source, key)

    def do_publish(self, queue, count):
        with self.connect() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for _ in range(int(count)):
                channel.basic_publish("", queue, b"x")

    def do_connection(self, name):
        self.connections[name] = self.connect()
        self.connections[name].channel()

    def do_consume(self, connection, queue):
        channel = self.connections[connection].channel()
        channel.basic_qos(prefetch_count=2)
        channel.basic_consume(queue, lambda *_: None, consumer_tag="tag")
        channel.queue_declare(queue, passive=True)

    def do_gone(self, connection):
        """Waits until the broker has closed it."""
        try:
            while True:
                self.connections[connection].process_data_events(1)
        except pika.exceptions.AMQPError:
            pass

    def close(self):
        for connection in self.connections.values():
            if connection.is_open:
                connection.close()


def await_startup(command, environment, limit):
    """RabbitMQ serves clients before it takes commands."""
    subprocess.run([command, "await_startup"], env=environment, stdin=subprocess.DEVNULL, timeout=limit, check=True,
                   stdout=subprocess.DEVNULL)


def run_step(step, command, environment, folder, limit):
    done = subprocess.run([command] + [word.replace("%FOLDER%", folder) for word in step.arguments], env=environment,
                          input=step.stdin, timeout=limit, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          encoding="utf-8", errors="replace")
    return Answer(done.stdout.replace(folder, "%FOLDER%"), done.stderr.replace(folder, "%FOLDER%"), done.returncode)


def play(path, broker, command, environment, limit):
    """Runs a transcript; returns its steps, the remarks behind them, and the answers."""
    steps, remarks = read(path)
    actions, answers = Actions(broker), []
    with tempfile.TemporaryDirectory(prefix="transcript-") as folder:
        try:
            for step in steps:
                if step.is_action:
                    actions.run(*step.arguments)
                answers.append(None if step.is_action else run_step(step, command, environment, folder, limit))
        finally:
            actions.close()
    return steps, remarks, answers
