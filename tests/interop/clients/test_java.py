# SPDX-License-Identifier: MIT
"""RabbitMQ's Java client. The cases are in JavaClient.java, all in one program."""

import glob
import os
import shutil
import tempfile

from lib.process import distrust, output_of
from lib.runner import limit, slow

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "JavaClient.java")
JAR = "/usr/share/java/amqp-client.jar"
QUICK = "-XX:TieredStopAtLevel=1"   # these programs end before code that is optimised has paid


def available():
    if not os.path.exists(JAR):
        return "librabbitmq-client-java is not installed"
    return None if shutil.which("java") and shutil.which("javac") else "there is no JDK"


def compiled(t):
    """The folder with the program."""
    folder = tempfile.mkdtemp(prefix="shunt-java-")
    t.cleanup(lambda: shutil.rmtree(folder))
    output_of(t, "javac", "-J" + QUICK, "-proc:none", "-cp", JAR, "-d", folder, SOURCE, limit=60)
    return folder


@slow
@limit(150)
def test_java_client(t):
    path = [compiled(t), JAR] + glob.glob("/usr/share/java/slf4j-api.jar") + glob.glob("/usr/share/java/slf4j-nop.jar")
    command = ["java", QUICK, "-cp", ":".join(path), "JavaClient"]
    assert output_of(t, *command, limit=50, AMQP_LIMIT_SECONDS="20").endswith("all\n")
    if t.broker.authority:
        distrust(t, *command)
