# SPDX-License-Identifier: MIT
"""shuntctl, or rabbitmqctl where RabbitMQ is under test."""

import os
import subprocess

from . import broker as brokers
from .case import Skip

RABBITMQCTL = "/usr/lib/rabbitmq/bin/rabbitmqctl"


def shuntctl_of(broker):
    """Beside shuntd, as built, or in bin/ of where it is installed."""
    folder = os.path.dirname(os.path.abspath(broker.shuntd))
    for path in (os.path.join(folder, "shuntctl"), os.path.join(folder, "..", "bin", "shuntctl")):
        if os.path.exists(path):
            return path
    raise AssertionError("no shuntctl near %s" % broker.shuntd)


def start_ctl(t, *arguments, broker=None, **options):
    """Runs it against the broker; returns the finished process, output as text."""
    broker = broker or t.broker
    if isinstance(broker, brokers.ShuntBroker):
        command, environment = shuntctl_of(broker), dict(os.environ, SHUNT_SOCKET=broker.control_socket)
    elif isinstance(broker, brokers.RabbitBroker):
        command, environment = RABBITMQCTL, broker.environment
    else:
        raise Skip("needs a broker of its own")
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([command] + list(arguments), env=environment, stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, timeout=t.limit, check=False, encoding="utf-8", errors="replace",
                          **options)


def ctl(t, *arguments, broker=None, status=0):
    """Its output; its exit status must be as expected."""
    done = start_ctl(t, *arguments, broker=broker)
    assert done.returncode == status, "status %d\n%s%s" % (done.returncode, done.stdout, done.stderr)
    return done.stderr if status else done.stdout


def only_shunt(t):
    if not isinstance(t.broker, brokers.ShuntBroker):
        raise Skip("shuntctl's own")


def shuntd_with(t, folder, configuration, *options):
    """A shuntd of the test's own with that text as its file in the folder, and the file's path."""
    path = os.path.join(folder, "shunt.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write(configuration)
    return t.shuntd(*options, wrapper=["/bin/sh", "-c", 'shuntd=$1; shift; exec "$shuntd" -c "$0" "$@"', path]), path
