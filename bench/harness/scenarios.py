# SPDX-License-Identifier: MIT
"""What bench/run measures: the scenarios, the figures of each, and the goals."""

from collections import namedtuple

# A figure: where it is in shunt-bench's JSON, and what divides it to come to the unit that the table shows.
Figure = namedtuple("Figure", "key label path divisor unit more_is_better")

FIGURES = {figure.key: figure for figure in (
    Figure("published", "published", "published.rate", 1, "/s", True),
    Figure("delivered", "delivered", "delivered.rate", 1, "/s", True),
    Figure("bytes", "delivered", "delivered.bytes_per_second", 1e6, "MB/s", True),
    Figure("cpu", "CPU a message", "published.broker_cpu_us_each", 1, "µs", False),
    Figure("cpu_delivery", "CPU a delivery", "delivered.broker_cpu_us_each", 1, "µs", False),
    Figure("behind", "behind at the end", "behind_seconds", 1, "s", False),
    Figure("confirm_p50", "confirm p50", "confirm_latency.p50_us", 1, "µs", False),
    Figure("confirm_p99", "confirm p99", "confirm_latency.p99_us", 1, "µs", False),
    Figure("p50", "delivery p50", "latency.p50_us", 1, "µs", False),
    Figure("p99", "delivery p99", "latency.p99_us", 1, "µs", False),
    Figure("max", "delivery max", "latency.max_us", 1, "µs", False),
    Figure("lag", "send lag p99 of the tool", "send_lag.p99_us", 1, "µs", False),
    Figure("noise", "neighbour delivered", "noise.delivered.rate", 1, "/s", True),
    Figure("shares", "least / most of a consumer", "shares", 1, "", True),
    Figure("fill", "fill", "fill.rate", 1, "/s", True),
    Figure("fill_cpu", "CPU a message filled", "fill.broker_cpu_us_each", 1, "µs", False),
    Figure("drain", "drain", "drain.rate", 1, "/s", True),
    Figure("drain_cpu", "CPU a message drained", "drain.broker_cpu_us_each", 1, "µs", False),
    Figure("opened", "opened", "opened.rate", 1, "/s", True),
    Figure("opened_cpu", "CPU a connection", "opened.broker_cpu_us_each", 1, "µs", False),
    Figure("cycles", "opened and closed", "cycles.rate", 1, "/s", True),
    Figure("cycles_cpu", "CPU a cycle", "cycles.broker_cpu_us_each", 1, "µs", False),
    Figure("handshake_p99", "handshake p99", "handshake.p99_us", 1, "µs", False),
    Figure("bytes_each", "RSS a message", "rss.each", 1, "B", False),
    Figure("kib_each", "RSS a connection", "rss.each", 1024, "KiB", False),
    Figure("rss", "RSS after", "rss.after", 2 ** 20, "MiB", False),
)}

# The brokers have ids: floor, rabbitmq, shunt, and those of --also. `only` names the ids that a scenario is for, `without`
# those that it is not for. `fresh`: every broker is started anew, since memory is what is measured.
# `by`: how long it goes on: for a time, or by a number of messages, or what the arguments say.
Scenario = namedtuple("Scenario", "name title arguments figures goals by fresh only without")


def scenario(name, title, arguments, figures, goals=None, by="time", fresh=False, only=(), without=()):
    return Scenario(name, title, tuple(arguments.split()), tuple(figures.split()), goals or {}, by, fresh, only, without)


# A goal is a bound of the figure as the table shows it: at least, where more is better, else at most.
SCENARIOS = (
    scenario("auto", "transient 100 B, 1 producer, 1 consumer, auto-ack", "",
             "delivered cpu behind rss", {"delivered": 1.8e6, "cpu": 0.40}),
    scenario("ack50", "the same, ack every 50, prefetch 500", "--ack 50 --prefetch 500",
             "delivered cpu behind", {"delivered": 1.4e6, "cpu": 0.55, "behind": 0.1}),
    scenario("ack1", "ack every message, prefetch 100", "--ack 1 --prefetch 100",
             "delivered cpu behind", {"delivered": 600e3}),
    scenario("persistent", "persistent 100 B, confirm window 500, ack every 50, prefetch 500",
             "--persistent --confirm 500 --ack 50 --prefetch 500",
             "delivered cpu confirm_p50 confirm_p99", {"delivered": 300e3, "cpu": 1.5, "confirm_p50": 1500}),
    scenario("persistent-in", "persistent 100 B, confirm window 500, no consumer",
             "--persistent --confirm 500 --consumers 0", "published cpu confirm_p50 confirm_p99"),
    scenario("fanout", "fanout to 10 queues, 10 consumers", "--fanout 10",
             "delivered cpu_delivery behind", {"delivered": 3e6, "cpu_delivery": 0.25}),
    scenario("topic", "topic exchange with 10 000 bindings", "--exchange topic --bindings 10000",
             "delivered cpu", {"delivered": 1.4e6, "cpu": 0.55}),
    scenario("1k", "1 KiB bodies", "--size 1024", "delivered bytes cpu"),
    scenario("16k", "16 KiB bodies", "--size 16384", "bytes cpu", {"bytes": 1700, "cpu": 9}),
    scenario("many", "4 producers, 4 consumers, 4 queues", "--producers 4 --consumers 4 --queues 4",
             "delivered cpu behind"),
    scenario("fill", "fill with transient messages of 100 B, then drain", "--fill",
             "fill fill_cpu bytes_each drain drain_cpu", {"fill": 1.2e6, "bytes_each": 180, "drain": 1.5e6},
             by="messages", fresh=True, without=("floor",)),
    scenario("latency", "20 000/s with confirms", "--rate 20000 --confirm 500",
             "p50 p99 confirm_p50 confirm_p99 cpu lag", {"p50": 60, "p99": 300}),
    scenario("idle", "1 000 idle connections with a channel", "--connections 1000",
             "kib_each opened opened_cpu handshake_p99", {"kib_each": 7, "opened": 18e3}, by="itself", fresh=True),
    scenario("churn", "open, open a channel, close", "--churn", "cycles cycles_cpu handshake_p99", {"cycles": 11.5e3},
             by="churn"),
    scenario("fair", "1 000/s beside a producer that publishes flat out", "--rate 1000 --noise 1",
             "p50 p99 max lag noise", {"p99": 5000}),
    scenario("slow", "1 000/s beside 2 consumers that read slowly", "--rate 1000 --slow 2",
             "p50 p99 max", {"p99": 5000}, without=("floor",)),
    scenario("shares", "4 consumers of one busy queue", "--consumers 4", "delivered shares", {"shares": 0.9},
             without=("floor",)),
    scenario("loops-one", "1 producer, 1 consumer, by number of loops", "", "delivered cpu p50",
             only=("shunt-1-loop", "shunt-2-loops")),
    scenario("loops-many", "4 producers, 4 consumers, 4 queues, by number of loops",
             "--producers 4 --consumers 4 --queues 4", "delivered cpu", only=("shunt-1-loop", "shunt-2-loops")),
    scenario("loops-hot", "4 producers, 4 consumers, one queue, by number of loops",
             "--producers 4 --consumers 4", "delivered cpu", only=("shunt-1-loop", "shunt-2-loops")),
)


def is_for(scenario_, broker):
    """Whether the broker with this id takes part."""
    if scenario_.only:
        return broker in scenario_.only
    return broker not in scenario_.without and broker not in ("shunt-1-loop", "shunt-2-loops")


def command_arguments(scenario_, seconds, warmup, messages):
    """shunt-bench's arguments, but for where the broker is."""
    arguments = list(scenario_.arguments)
    if scenario_.by == "time":
        arguments += ["--seconds", "%g" % seconds, "--warmup", "%g" % warmup]
    elif scenario_.by == "churn":
        arguments += ["--seconds", "%g" % seconds]
    elif scenario_.by == "messages":
        arguments += ["--messages", "%d" % messages]
    return arguments


def read_figures(scenario_, output):
    """{key: value as the table shows it} of shunt-bench's JSON; what is not there is left out."""
    output = dict(output)
    delivered = output.get("delivered", {})
    if "behind" in delivered and delivered["rate"] > 0:
        output["behind_seconds"] = delivered["behind"] / delivered["rate"]
    if delivered.get("most"):
        output["shares"] = delivered["least"] / delivered["most"]
    figures = {}
    for key in scenario_.figures:
        value = output
        for part in FIGURES[key].path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            figures[key] = value / FIGURES[key].divisor
    return figures


def meets_goal(key, value, goal):
    return value >= goal if FIGURES[key].more_is_better else value <= goal
