# SPDX-License-Identifier: MIT
"""RabbitMQ's Java client. The cases are in JavaClient.java, all in one program."""

import glob
import os
import shutil

from lib.process import distrust, output_of
from lib.runner import limit, slow

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "JavaClient.java")
JAR = "/usr/share/java/amqp-client.jar"


def available():
    if not os.path.exists(JAR):
        return "librabbitmq-client-java is not installed"
    # `java FILE.java` needs the compiler
    return None if shutil.which("java") and shutil.which("javac") else "there is no JDK"


@slow
@limit(90)
def test_java_client(t):
    jars = [JAR] + glob.glob("/usr/share/java/slf4j-api.jar") + glob.glob("/usr/share/java/slf4j-nop.jar")
    command = ["java", "-cp", ":".join(jars), SOURCE]
    assert output_of(t, *command, limit=50, AMQP_LIMIT_SECONDS="20").endswith("all\n")
    if t.broker.authority:
        distrust(t, *command)
