# SPDX-License-Identifier: MIT
"""bunny for Ruby. The cases are in bunny.rb."""

import os
import shutil
import subprocess

from lib import process

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bunny.rb")


def available():
    if not shutil.which("ruby") or subprocess.run(["ruby", "-e", "require 'bunny'"], stderr=subprocess.DEVNULL,
                                                  check=False).returncode:
        return "ruby-bunny is not installed"
    return None


globals().update(process.cases_in(SCRIPT, r'^scenario "(\w+)"', ["ruby", SCRIPT]))
