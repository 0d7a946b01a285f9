# SPDX-License-Identifier: MIT
"""The tables of bench/run, and the page that they are put into."""

from statistics import median

from harness import scenarios as wanted

BEGIN = "<!-- figures: bench/run writes what is between these two lines -->"
END = "<!-- end of figures -->"


def number(value):
    """Three digits, with a letter: 1.23 M, 45.6 k, 789, 12.3, 0.456."""
    for limit, divisor, letter in ((999.5e3, 1e6, " M"), (9999.5, 1e3, " k")):
        if abs(value) >= limit:
            return digits(value / divisor) + letter
    return digits(value)


def digits(value):
    for limit, decimals in ((99.95, 0), (9.995, 1), (0.9995, 2)):
        if abs(value) >= limit:
            return "%.*f" % (decimals, value)
    return "%.3f" % value if value else "0"


def with_unit(key, value):
    unit = wanted.FIGURES[key].unit
    if unit == "µs" and value >= 9999.5:
        value, unit = value / 1000, "ms"
    text = number(value)
    if not unit:
        return text
    return text + unit if unit == "/s" else text + " " + unit


def failures(runs):
    """The reason why, if no run came to an end with figures."""
    return next((run["reason"] for run in runs if run["reason"]), "no figures")


def cell(key, runs):
    """Median, least and most over the rounds of one broker."""
    values = [run["figures"][key] for run in runs if key in run["figures"]]
    if not values:
        return "failed: %s" % escape(failures(runs)) if runs and any(run["reason"] for run in runs) else "–"
    text = with_unit(key, median(values))
    if len(values) > 1:
        text += " (%s–%s)" % (with_unit(key, min(values)), with_unit(key, max(values)))
    lost = sum(1 for run in runs if run["reason"])
    return text + ", %d of %d failed: %s" % (lost, len(runs), escape(failures(runs))) if lost else text


def escape(text):
    return text.replace("|", "\\|").replace("\n", " ")


def ratio(key, ours, theirs):
    """Our median by theirs."""
    values = [[run["figures"][key] for run in runs if key in run["figures"]] for runs in (ours, theirs)]
    if not all(values) or median(values[1]) <= 0:
        return "–"
    return "× " + digits(median(values[0]) / median(values[1]))


def verdict(key, goals, ours):
    """The goal, and whether our median meets it."""
    if key not in goals:
        return "–", ""
    goal = ("≥ " if wanted.FIGURES[key].more_is_better else "≤ ") + with_unit(key, goals[key])
    values = [run["figures"][key] for run in ours if key in run["figures"]]
    if not values:
        return goal, "**missed**"
    return goal, "met" if wanted.meets_goal(key, median(values), goals[key]) else "**missed**"


def row(cells):
    return "| " + " | ".join(cells) + " |"


def main_table(results, brokers):
    """Everything that Shunt and the others ran."""
    has_rabbitmq = "rabbitmq" in brokers
    head = ["scenario", "figure"] + [brokers[b] for b in brokers]
    head += ["Shunt / RabbitMQ"] * has_rabbitmq + ["goal", ""]
    lines = [row(head), "|" + "---|" * len(head)]
    for scenario in wanted.SCENARIOS:
        if scenario.only or scenario.name not in results:
            continue
        of = results[scenario.name]
        for i, key in enumerate(scenario.figures):
            cells = ["%s (`%s`)" % (scenario.title, scenario.name) if i == 0 else "", wanted.FIGURES[key].label]
            cells += [cell(key, of.get(b, [])) for b in brokers]
            if has_rabbitmq:
                cells.append(ratio(key, of.get("shunt", []), of.get("rabbitmq", [])))
            cells += verdict(key, scenario.goals, of.get("shunt", []))
            lines.append(row(cells))
    return lines if len(lines) > 2 else []


def loops_table(results):
    head = ["scenario", "figure", "1 loop", "2 loops", "2 loops / 1 loop"]
    lines = [row(head), "|" + "---|" * len(head)]
    for scenario in wanted.SCENARIOS:
        if not scenario.only or scenario.name not in results:
            continue
        one, two = (results[scenario.name].get(b, []) for b in scenario.only)
        for i, key in enumerate(scenario.figures):
            lines.append(row(["%s (`%s`)" % (scenario.title, scenario.name) if i == 0 else "",
                              wanted.FIGURES[key].label, cell(key, one), cell(key, two), ratio(key, two, one)]))
    return lines if len(lines) > 2 else []


def commands(results):
    """What was run for each, as it was run."""
    lines = ["```"]
    for scenario in wanted.SCENARIOS:
        if scenario.name in results:
            arguments = next(run["arguments"] for runs in results[scenario.name].values() for run in runs)
            lines.append(("%-14s shunt-bench --json %s" % (scenario.name, " ".join(arguments))).rstrip())
    return lines + ["```"]


def tables(results, brokers, facts):
    """All that is between the marks. Results: {scenario: {broker: [run, ...]}}; brokers: {id: title}."""
    lines = ["%s: %s." % (name, value) for name, value in facts.items()]
    lines = ["- " + line for line in lines] + [""]
    for table in (main_table(results, brokers), loops_table(results)):
        if table:
            lines += table + [""]
    return "\n".join(lines + ["The commands, each also given `--host`, `--port` and the broker's `--pid`:", ""] +
                     commands(results))


def replace(page, text):
    """The page with the text between the marks; ValueError: they are not there."""
    begin, end = page.find(BEGIN), page.find(END)
    if begin < 0 or end < begin:
        raise ValueError("the marks are missing: %s ... %s" % (BEGIN, END))
    return page[:begin] + BEGIN + "\n\n" + text + "\n\n" + page[end:]
