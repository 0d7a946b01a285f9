# SPDX-License-Identifier: MIT
"""Clients for Node: where they are, and the cases of their scripts as tests."""

import os
import shutil

from . import process

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "node")


def available():
    if not shutil.which("node"):
        return "node is not installed"
    if not os.path.isdir(os.path.join(FOLDER, "node_modules")):
        return "the node modules are not installed (./dev deps)"
    return None


def cases(script, *arguments):
    path = os.path.join(FOLDER, script)
    return process.cases_in(path, r"^  async (\w+)\(t\)", ["node", path, *arguments])
