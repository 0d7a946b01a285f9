# SPDX-License-Identifier: MIT
"""The Celery application of test_celery.py: the same in the workers and in the tests. The environment names the broker."""

import os
import ssl
import time

from celery import Celery, Task
from kombu import Exchange, Queue

PREFIX = os.environ["CELERY_PREFIX"]


def name(what):
    return "%s.%s" % (PREFIX, what)


app = Celery("tasks", broker=os.environ["CELERY_BROKER"], backend=os.environ.get("CELERY_BACKEND", "rpc://"))
app.conf.update(
    task_default_queue=name("celery"),
    task_queues=[Queue(name("celery"), Exchange(name("celery")), routing_key="celery"),
                 Queue(name("other"), Exchange(name("topic"), "topic"), routing_key="other.#")],
    task_default_exchange=name("celery"),
    task_default_routing_key="celery",
    control_exchange=name("control"),
    event_exchange=name("events"),
    broker_connection_retry=True,
    broker_connection_max_retries=20,
    worker_hijack_root_logger=False,
    result_chord_retry_interval=0.05,
    worker_prefetch_multiplier=int(os.environ.get("CELERY_PREFETCH", "1")),
)
if "AMQP_CA_FILE" in os.environ:
    app.conf.broker_use_ssl = {"ca_certs": os.environ["AMQP_CA_FILE"], "cert_reqs": ssl.CERT_REQUIRED,
                               "server_hostname": "localhost"}


class LateTask(Task):
    """Acknowledged when done, and given back when its process dies."""
    acks_late = True
    reject_on_worker_lost = True


@app.task
def add(x, y):
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=5)
def stubborn(self, failures):
    """Fails so many times."""
    if self.request.retries < failures:
        raise self.retry(countdown=0.05)
    return self.request.retries


@app.task
def fails():
    raise ValueError("on purpose")


@app.task
def when():
    return time.time()


@app.task(bind=True)
def where(self):
    return self.request.delivery_info["routing_key"], self.request.delivery_info["priority"]


def log(text):
    """One line in the test's file, whole and at once."""
    with open(os.environ["CELERY_LOG"], "a", encoding="ascii") as f:
        f.write(text + "\n")


@app.task(base=LateTask)
def late(number, seconds=0.0):
    log("begin %d" % number)
    time.sleep(seconds)
    log("done %d" % number)
    return number


@app.task
def blocks(path):
    """Until the file exists."""
    while not os.path.exists(path):
        time.sleep(0.02)
    return "released"
