# SPDX-License-Identifier: MIT
"""Signals that end bench/run: at once, but not in the midst of starting or stopping a process, which would be left behind."""

import contextlib
import signal
import sys

_held = 0
_received = None


def _handle(number, _):
    global _received   # pylint: disable=global-statement
    _received = number
    _leave_if_told()


def _leave_if_told():
    global _received   # pylint: disable=global-statement
    if _received is not None and not _held:
        number, _received = _received, None
        sys.exit(128 + number)


def watch():
    """From here on. Also where a shell has us ignore SIGINT, as it does with what it starts in the background."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _handle)


@contextlib.contextmanager
def held():
    """What comes within waits for the end of it."""
    global _held   # pylint: disable=global-statement
    _held += 1
    try:
        yield
    finally:
        _held -= 1
        _leave_if_told()
