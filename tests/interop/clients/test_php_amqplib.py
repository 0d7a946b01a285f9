# SPDX-License-Identifier: MIT
"""php-amqplib. The cases are in php_amqplib.php."""

import os
import shutil

from lib import process

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "php_amqplib.php")


def available():
    if not shutil.which("php") or not os.path.exists("/usr/share/php/PhpAmqpLib/autoload.php"):
        return "php-cli and php-amqplib are not installed"
    return None


globals().update(process.cases_in(SCRIPT, r"^function case_(\w+)\(", ["php", SCRIPT]))
