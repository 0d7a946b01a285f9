# SPDX-License-Identifier: MIT
"""What the patterns of permissions mean: those of the broker's own users, by the names that they let through."""

from lib.runner import limit
from lib.shuntctl import ctl, start_ctl

SECRET = "s3cret"


def let_through(t, pattern, names, configure=True):
    """Those of the names that a user with this pattern may delete (they are not there: that is no error)."""
    user = t.name("u")
    ctl(t, "add_user", user, SECRET)
    t.cleanup(lambda: ctl(t, "delete_user", user))
    ctl(t, "set_permissions", "-p", t.broker.vhost, user, pattern, "", "")
    client = t.wire(user=user, password=SECRET)
    through = []
    for name in names:
        client.send(1, "queue.delete", queue=name)
        answer = client.read_method("queue.delete-ok", "channel.close")
        if answer.name == "queue.delete-ok":
            through.append(name)
            continue
        assert answer.reply_code == 403, answer
        client.send(1, "channel.close-ok")
        client.open_channel(1)
    return through


def test_patterns_are_not_anchored(t):
    assert let_through(t, "b.d", ["abcde", "bcd", "bd", "BCD"]) == ["abcde", "bcd"]


def test_anchors_and_alternatives(t):
    assert let_through(t, "^(a|b)\\..*$", ["a.x", "b.", "c.x", "xa.x", "a"]) == ["a.x", "b."]


def test_dot_star_is_everything(t):
    assert let_through(t, ".*", ["a", "a/b c", "\u00e9"]) == ["a", "a/b c", "\u00e9"]


def test_look_ahead_and_options(t):
    assert let_through(t, "(?i)^(?!no)[a-z]{2,3}$", ["yes", "YES", "NO", "nob", "a", "abcd"]) == ["yes", "YES"]


def test_patterns_are_bytes(t):
    assert let_through(t, "^..$", ["\u00e9", "ab", "a", "\u00e9\u00e9"]) == ["\u00e9", "ab"]


def test_an_escape_that_is_none_is_the_letter(t):
    assert let_through(t, "^\\y$", ["y", "x", "\\y"]) == ["y"]


def test_a_pattern_that_takes_too_long_matches_nothing(t):
    """It would go through all ways to cut 200 letters into pieces."""
    assert let_through(t, "^(a|aa)+$", ["a" * 200 + "!", "aaa"]) == ["aaa"]


@limit(60)   # rabbitmqctl takes seconds each time
def test_a_pattern_that_does_not_compile_is_refused(t):
    user = t.name("u")
    ctl(t, "add_user", user, SECRET)
    t.cleanup(lambda: ctl(t, "delete_user", user))
    for pattern in ("(", "*", "\\x{"):
        done = start_ctl(t, "set_permissions", "-p", t.broker.vhost, user, "", pattern, "")
        assert done.returncode != 0, pattern
        assert user not in ctl(t, "-q", "list_permissions", "-p", t.broker.vhost)
