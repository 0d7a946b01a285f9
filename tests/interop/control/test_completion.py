# SPDX-License-Identifier: MIT
"""bash completion, as bash does it."""

import os
import subprocess

from lib.case import Skip
from lib.shuntctl import ctl, only_shunt, shuntctl_of

HERE = os.path.dirname(os.path.abspath(__file__))
COMPLETION = os.path.join(HERE, "..", "..", "..", "tools", "shuntctl", "completion", "shuntctl")

# COMP_WORDS comes as arguments; what bash would offer goes out, a line each
SCRIPT = r"""
source "$COMPLETION" || exit 1
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_shuntctl "$SHUNTCTL"
printf '%s\n' "${COMPREPLY[@]}"
"""

LINES = [
    # what stands on the line, what is among the offers, what is not
    (["list_u"], ["list_users", "list_user_limits", "list_user_permissions"], ["list_queues"]),
    ([""], ["add_user", "stop", "help"], []),
    (["-q", "-p", "/", "list_ex"], ["list_exchanges"], []),
    (["list_queues", "mess"], ["messages", "messages_ready"], ["name"]),
    (["list_queues", "messages", "messages_r"], ["messages_ready", "messages_ram"], ["messages"]),
    (["list_queues", "--o"], ["--online", "--offline"], ["--local"]),
    (["list_queues", "--online", "--o"], ["--offline"], ["--online"]),
    (["list_users", "--formatter", ""], ["json", "csv", "table", "pretty_table"], []),
    (["list_users", "--formatter", "="], ["json", "csv", "table", "pretty_table"], []),
    (["list_users", "--formatter", "=", "j"], ["json"], ["csv"]),
    (["--vhost", "=", "/", "list_b"], ["list_bindings"], []),
    (["help", "set_p"], ["set_permissions"], []),
    (["plugin", "re"], ["reload"], ["list"]),
    (["script", "ro"], ["rollback"], ["reload"]),
    (["add_user", "--pre"], ["--pre-hashed-password"], []),
    (["add_user", "gu"], [], ["guest"]),
    (["set_permissions", "gu"], ["guest"], []),
    (["set_permissions", "guest", "gu"], [], ["guest"]),
    (["list_user_limits", "--user", "gu"], ["guest"], []),
    (["--socket", "/no/such", "delete_user", "gu"], [], ["guest"]),
    (["nosuch", ""], [], ["add_user"]),
]


def complete(t, *words, broker=None):
    broker = broker or t.broker
    environment = dict(os.environ, COMPLETION=COMPLETION, SHUNTCTL=shuntctl_of(broker),
                       SHUNT_SOCKET=broker.control_socket)
    done = subprocess.run(["bash", "--norc", "-c", SCRIPT, "bash", "shuntctl"] + list(words), env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=t.limit, check=False, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, ""), done
    return [line for line in done.stdout.split("\n") if line]


def test_bash_completion(t):
    only_shunt(t)
    if not os.path.exists(COMPLETION):
        raise Skip("not among the sources")
    for words, offered, not_offered in LINES:
        got = complete(t, *words)
        assert set(offered) <= set(got) and not set(not_offered) & set(got), (words, got)
        assert all(line.startswith(words[-1].lstrip("=")) for line in got), (words, got)


def test_names_with_more_than_letters(t):
    """They come so that bash reads them as one word again."""
    only_shunt(t)
    if not os.path.exists(COMPLETION):
        raise Skip("not among the sources")
    broker = t.shuntd()
    names = ["two words", "*", "quote\"d", "$HOME"]
    for name in names:
        ctl(t, "add_user", name, "secret", broker=broker)
    offered = complete(t, "delete_user", "", broker=broker)
    read = subprocess.run(["bash", "-c", "printf '%%s\\n' %s" % " ".join(offered)], stdout=subprocess.PIPE,
                          timeout=t.limit, check=True, encoding="utf-8").stdout
    assert sorted(read.split("\n")[:-1]) == sorted(names + ["guest"]), (offered, read)


def test_commands_are_completed_to_themselves(t):
    """Each is offered, and none that help does not know."""
    only_shunt(t)
    listed = subprocess.run([shuntctl_of(t.broker), "help", "--list-commands"], stdout=subprocess.PIPE, timeout=t.limit,
                            check=True, encoding="utf-8").stdout
    names = [line.split()[0] for line in listed.split("\n") if line.startswith("   ")]
    assert "list_queues" in names and complete(t, "") == names
