# SPDX-License-Identifier: MIT
"""bench/run: what it makes of runs, and that it ends well whatever happens. Figures are short and are not judged.

It is run in the build tree that shuntd is of, without RabbitMQ."""

import json
import os
import signal
import subprocess
import sys
import tempfile

from lib import broker as brokers
from lib.case import Skip
from lib.runner import limit

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
RUN = os.path.join(TOP, "bench", "run")
sys.path.insert(0, os.path.join(TOP, "bench"))

from harness import page, scenarios   # noqa: E402


def command(t, folder, *arguments):
    """bench/run for a tenth of a second, with its page and its data in the folder."""
    if not isinstance(t.broker, brokers.ShuntBroker):
        raise Skip("no shuntd")
    tree = os.path.dirname(os.path.abspath(t.broker.shuntd))
    if not os.path.exists(os.path.join(tree, "Makefile")):
        raise Skip("shuntd is not in a build tree")
    with open(os.path.join(folder, "page.md"), "w", encoding="utf-8") as f:
        f.write("before\n%s\nold\n%s\nafter\n" % (page.BEGIN, page.END))
    return [sys.executable, RUN, "--build", tree, "--data", folder, "--quick", "--seconds", "0.1", "--without", "rabbitmq",
            "--output", os.path.join(folder, "page.md"), "--json", os.path.join(folder, "runs.json")] + list(arguments)


def run(t, folder, *arguments):
    return subprocess.run(command(t, folder, *arguments), stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=t.limit * 1.5, text=True, check=False)


def read_page(folder):
    with open(os.path.join(folder, "page.md"), encoding="utf-8") as f:
        return f.read()


def processes_of(folder):
    """Those whose command line names the folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                if os.fsencode(folder) in f.read():
                    found.append(pid)
        except OSError:
            pass   # it has just ended
    return found


@limit(60)
def test_writes_the_tables(t):
    with tempfile.TemporaryDirectory() as folder:
        done = run(t, folder, "--scenario", "auto", "--scenario", "loops-one", "--rounds", "2")
        assert done.returncode == 0, done
        text = read_page(folder)
        assert text.startswith("before\n") and text.endswith("\nafter\n") and "\nold\n" not in text, text
        for words in ("(`auto`)", "(`loops-one`)", "| delivered |", "≥ 1.80 M/s", "| floor |", "shunt-bench --json"):
            assert words in text, (words, text)
        with open(os.path.join(folder, "runs.json"), encoding="utf-8") as f:
            results = json.load(f)["results"]
        # --quick is one round
        assert {b: len(runs) for b, runs in results["auto"].items()} == {"floor": 1, "shunt": 1}, results
        assert set(results["loops-one"]) == {"shunt-1-loop", "shunt-2-loops"}, results
        assert results["auto"]["shunt"][0]["figures"]["delivered"] > 0, results
        assert sorted(os.listdir(folder)) == ["page.md", "runs.json"], os.listdir(folder)


@limit(60)
def test_a_broker_that_fails_is_shown(t):
    with tempfile.TemporaryDirectory() as folder:
        port, = brokers.free_ports(1)
        done = run(t, folder, "--scenario", "auto", "--also", "Absent=127.0.0.1:%d:%d" % (port, os.getpid()))
        assert done.returncode == 1, done
        text = read_page(folder)
        assert "failed: " in text and "refused" in text and "| Absent |" in text, text
        assert "k/s" in text or "M/s" in text, text


@limit(60)
def test_interrupted_it_leaves_nothing(t):
    for signum, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        with tempfile.TemporaryDirectory() as folder:
            arguments = command(t, folder, "--scenario", "auto", "--scenario", "churn")
            with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True) as process:
                line = process.stderr.readline()   # the first run is over, the next one begins
                process.send_signal(signum)
                process.communicate(timeout=t.limit)
            assert line.startswith("auto"), line
            assert process.returncode == status, process.returncode
            assert not processes_of(folder), processes_of(folder)
            assert os.listdir(folder) == ["page.md"] and "\nold\n" in read_page(folder), os.listdir(folder)


@limit(60)
def test_usage_is_checked(t):
    with tempfile.TemporaryDirectory() as folder:
        for arguments in (("--scenario", "none"), ("--also", "Name=nowhere"), ("--rounds", "0"), ("--without", "shunt")):
            done = run(t, folder, *arguments)
            assert done.returncode == 2 and done.stderr, done


@limit(60)
def test_every_scenario_has_a_command_and_figures(_):
    names = [s.name for s in scenarios.SCENARIOS]
    assert len(set(names)) == len(names)
    for scenario in scenarios.SCENARIOS:
        assert set(scenario.goals) <= set(scenario.figures) <= set(scenarios.FIGURES), scenario
        assert any(scenarios.is_for(scenario, b) for b in ("shunt", "shunt-1-loop")), scenario
        assert scenarios.command_arguments(scenario, 5, 1, 1000) is not None


@limit(60)
def test_figures_are_read_and_judged(_):
    auto = next(s for s in scenarios.SCENARIOS if s.name == "auto")
    output = {"published": {"broker_cpu_us_each": 0.5}, "delivered": {"rate": 2e6, "behind": 1e6}, "rss": {"after": 2 ** 21}}
    figures = scenarios.read_figures(auto, output)
    assert figures == {"delivered": 2e6, "cpu": 0.5, "behind": 0.5, "rss": 2}, figures
    assert "cpu" not in scenarios.read_figures(auto, {"delivered": {"rate": 0, "behind": 3}})
    runs = [{"figures": {"delivered": rate}, "reason": ""} for rate in (1e6, 3e6, 1.9e6)]
    assert page.cell("delivered", runs) == "1.90 M/s (1.00 M/s–3.00 M/s)", page.cell("delivered", runs)
    assert page.verdict("delivered", auto.goals, runs) == ("≥ 1.80 M/s", "met")
    assert page.verdict("delivered", auto.goals, runs[:1])[1] == "**missed**"
    assert page.verdict("cpu", auto.goals, [{"figures": {"cpu": 0.3}, "reason": ""}])[1] == "met"
    assert page.verdict("cpu", auto.goals, [])[1] == "**missed**"
    assert page.ratio("delivered", runs, runs[:1]) == "× 1.90"
    assert page.cell("delivered", [{"figures": {}, "reason": "a|b"}]) == "failed: a\\|b"
    assert page.cell("delivered", []) == "–"
    assert [page.number(n) for n in (0, 0.0456, 1.234, 99.96, 9999, 10000, 999499, 1.5e6)] == [
        "0", "0.046", "1.23", "100", "9999", "10.0 k", "999 k", "1.50 M"]
    assert page.with_unit("p99", 42500) == "42.5 ms"


@limit(60)
def test_a_page_without_marks_is_refused(_):
    for text in ("", page.BEGIN, page.END + page.BEGIN):
        try:
            page.replace(text, "new")
        except ValueError:
            continue
        raise AssertionError(text)
