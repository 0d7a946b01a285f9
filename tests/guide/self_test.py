# SPDX-License-Identifier: MIT
"""What follows the guide is tried itself first: it must see what is wrong."""

import tempfile

import session

SHOWN = (
    # what the guide shows, what came, whether that is the same
    (["a"], "a\n", True),
    (["a"], "a", True),
    (["a"], "b\n", False),
    (["a"], "a\nb\n", False),
    ([], "", True),
    ([], "a\n", False),
    (["a..."], "abc\n", True),
    (["...c"], "abc\n", True),
    (["a...c"], "ab\n", False),
    (["..."], "", True),
    (["a", "...", "d"], "a\nb\nc\nd\n", True),
    (["a", "...", "d"], "a\nb\nc\n", False),
    (["1.2"], "1x2\n", False),
)


def run(blocks_of):
    """Raises AssertionError when what follows the guide is itself at fault."""
    for expected, output, verdict in SHOWN:
        assert session.is_as_shown(expected, output) == verdict, (expected, output)
    assert session.commands_of("$ a\nb\n$ c \\\n  d\n") == [["a", ["b"]], ["c \\\n  d", []]]
    blocks = blocks_of("text\n```c compile\nint i;\n```\n```\n$ no\n```\n")
    assert [(b.language, b.marks, b.text, b.line) for b in blocks] == [
        (["c"], ["compile"], "int i;\n", 3), ([], [], "$ no\n", 6)]
    with tempfile.TemporaryDirectory(prefix="shunt-guide-") as folder:
        shell = session.Shell(folder, "/nowhere")
        try:
            assert shell.run("echo a; false") == ("a\n", 1)
            assert shell.run("cd / && printf b") == ("b", 0)
            assert shell.run("pwd; cat") == ("/\n", 0)
            # until it is no copy of the shell any more
            assert shell.run("sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done") == ("", 0)
            assert shell.processes() == ["sleep 1000"]
        finally:
            shell.end()
