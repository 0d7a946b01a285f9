# SPDX-License-Identifier: MIT
"""rabbitmq-c as a C program uses it. The cases are in librabbitmq.c, compiled once for each."""

import os
import re
import shutil
import tempfile

from lib.process import distrust, output_of

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "librabbitmq.c")


def available():
    if not os.path.exists("/usr/include/amqp.h"):
        return "librabbitmq-dev is not installed"
    return None if shutil.which("cc") else "there is no C compiler"


def compiled(t):
    folder = tempfile.mkdtemp(prefix="shunt-librabbitmq-")
    t.cleanup(lambda: shutil.rmtree(folder))
    program = os.path.join(folder, "program")
    output_of(t, "cc", "-std=gnu11", "-g", "-w", "-o", program, SOURCE, "-lrabbitmq")
    return program


def _test_of(case):
    def run(t):
        output_of(t, compiled(t), case)
    run.__name__ = "test_" + case
    return run


def test_distrust(t):
    distrust(t, compiled(t), "transactions")


with open(SOURCE, encoding="ascii") as _f:
    for _case in re.findall(r'^\t\{"(\w+)", case_', _f.read(), re.MULTILINE):
        globals()["test_" + _case] = _test_of(_case)
