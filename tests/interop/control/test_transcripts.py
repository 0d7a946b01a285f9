# SPDX-License-Identifier: MIT
"""What shuntctl prints is what Debian's rabbitmqctl prints, command by command: see lib/transcript.py.

Against Shunt the transcripts in transcripts/ are compared with a shuntctl that is called rabbitmqctl. Against RabbitMQ
they are compared with rabbitmqctl itself, so that they stay true: each of its commands takes a second, or several on a
busy machine. record.py makes them anew."""

import os

from lib import broker as brokers
from lib import transcript
from lib.case import Skip
from lib.runner import limit, slow
from lib.shuntctl import RABBITMQCTL, shuntctl_of

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "transcripts")


def shunt_of_its_own(t):
    """A broker with nothing in it, and how its commands are run."""
    broker = t.shuntd(authority=None)   # as the RabbitMQ that they were recorded from
    link = os.path.join(broker.directory, "rabbitmqctl")
    os.symlink(shuntctl_of(broker), link)
    return broker, link, dict(os.environ, SHUNT_SOCKET=broker.control_socket)


def rabbit_of_its_own(t):
    broker = brokers.RabbitBroker()
    broker.start()
    t.cleanup(broker.stop)
    transcript.await_startup(RABBITMQCTL, broker.environment, t.limit)
    return broker, RABBITMQCTL, broker.environment


def compare(t, name):
    if not isinstance(t.broker, (brokers.ShuntBroker, brokers.RabbitBroker)):
        raise Skip("needs a broker of its own")
    broker, command, environment = (shunt_of_its_own if t.shunt else rabbit_of_its_own)(t)
    path = os.path.join(FOLDER, name + ".txt")
    steps, _, answers = transcript.play(path, broker, command, environment, t.limit)
    wrong = []
    for step, answer in zip(steps, answers):
        if answer is None:
            continue
        assert not transcript.is_idle_difference(step), "%s.txt:%d: no difference" % (name, step.number)
        expected = transcript.comparable(step.expected_of(t.shunt), step.unordered)
        got = transcript.comparable(answer, step.unordered)
        if expected.lines() != got.lines():
            wrong.append("%s.txt:%d: %s\nexpected\n%s\ngot\n%s" % (
                name, step.number, step.line, "\n".join(expected.lines()), "\n".join(got.lines())))
    assert not wrong, "\n\n".join(["%d of %d steps differ" % (len(wrong), len(steps))] + wrong)


@slow
@limit(900)
def test_users(t):
    compare(t, "users")


@slow
@limit(900)
def test_permissions(t):
    compare(t, "permissions")


@slow
@limit(900)
def test_user_limits(t):
    compare(t, "user_limits")


@slow
@limit(900)
def test_vhosts(t):
    compare(t, "vhosts")


@slow
@limit(900)
def test_definitions(t):
    compare(t, "definitions")


@slow
@limit(900)
def test_node(t):
    compare(t, "node")


@slow
@limit(900)
def test_lists(t):
    compare(t, "lists")
