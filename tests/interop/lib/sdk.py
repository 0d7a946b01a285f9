# SPDX-License-Identifier: MIT
"""Building a plugin as a third party does: with the installed header, found by pkg-config, and a compiler."""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

from . import process
from .case import Skip

SOURCES = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "sdk"))
COMPILER = os.environ.get("CC", "gcc").split()


def abi():
    """What the present header is: major and minor number."""
    with open(os.path.join(SOURCES, "shunt", "plugin.h"), encoding="ascii") as f:
        text = f.read()
    return tuple(int(re.search(r"#define SHUNT_ABI_%s (\d+)u" % part, text).group(1)) for part in ("MAJOR", "MINOR"))


def folder(t):
    """A folder of the test's own."""
    path = tempfile.mkdtemp(prefix="shunt-plugins-")
    t.cleanup(lambda: shutil.rmtree(path, ignore_errors=True))
    return path


def plugin_path(t, name):
    """Where the plugin of that name would be, for the shuntd under test."""
    if not getattr(t.broker, "plugins", None):
        raise Skip("needs a shuntd of its own, and its folder of plugins")
    return os.path.abspath(os.path.join(t.broker.plugins, name + ".so"))


def _made_once(t, key, make):
    """The path of what make(path) makes, a file or a folder, for all tests of this run that need the same."""
    path = os.path.join(t.broker.directory, "made", hashlib.sha256(repr(key).encode()).hexdigest()[:24])
    if not os.path.exists(path):
        fresh = "%s.%d" % (path, os.getpid())
        os.makedirs(os.path.dirname(path), exist_ok=True)
        make(fresh)
        try:
            os.rename(fresh, path)
        except OSError:   # another worker was faster
            shutil.rmtree(fresh)
    return path


def _install(t, shuntd):
    """Installs the SDK of the build that the shuntd lies in; returns below which folder it is."""
    build = os.path.dirname(shuntd)
    if not os.path.exists(os.path.join(build, "sdk", "shunt-sdk.pc")):
        raise Skip("there is no SDK beside this shuntd")
    return _made_once(t, ("the SDK", build), lambda root: process.output_of(
        t, "make", "-s", "-C", build, "-o", "Makefile", "-o", "Makefile.in", "-o", "config.status",
        "-o", "sdk/shunt-sdk.pc", "install-dist_shuntincludeHEADERS", "install-nodist_pkgconfigDATA",
        "DESTDIR=" + root, MAKEFLAGS="", MAKELEVEL="0"))


def environment(t):
    """With which variables pkg-config finds shunt-sdk: of the prefix that shuntd is installed in, or else of its build."""
    shuntd = os.path.realpath(t.broker.shuntd)
    prefix, root = os.path.dirname(os.path.dirname(shuntd)), ""
    found = glob.glob(os.path.join(prefix, "lib*", "**", "pkgconfig", "shunt-sdk.pc"), recursive=True)
    if not found:
        root = _install(t, shuntd)
        found = glob.glob(os.path.join(root, "**", "shunt-sdk.pc"), recursive=True)
    return {"PKG_CONFIG_LIBDIR": os.path.dirname(found[0]), "PKG_CONFIG_PATH": "", "PKG_CONFIG_SYSROOT_DIR": root,
            "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1"}


def _compiler_flags(t):
    """What `pkg-config --cflags shunt-sdk` says."""
    return process.output_of(t, "pkg-config", "--cflags", "shunt-sdk", **environment(t)).split()


def tool(t, name):
    """The path of a program: in bin/ of where shuntd is installed, or where it was built."""
    if not hasattr(t.broker, "shuntd"):
        raise Skip("needs a shuntd of its own")
    folder = os.path.dirname(os.path.realpath(t.broker.shuntd))
    for place in ("../bin", ".", "sdk"):
        path = os.path.normpath(os.path.join(folder, place, name))
        if os.path.exists(path):
            return path
    raise AssertionError("there is no %s near %s" % (name, t.broker.shuntd))


def new(t, kind, name, *options):
    """A folder with what `shunt-sdk new` writes."""
    script = tool(t, "shunt-sdk")
    target = os.path.join(folder(t), name)
    # as built, its templates are still in the source tree
    own = {"SHUNT_SDK_DIR": SOURCES} if os.path.basename(os.path.dirname(script)) == "sdk" else {}
    process.output_of(t, script, "new", *options, kind, name, target, **own)
    return target


def make(t, directory, *arguments, limit=None, **variables):
    """make in such a folder, where pkg-config finds the SDK; returns what it said."""
    return process.output_of(t, "make", "-C", directory, *arguments, limit=limit, MAKEFLAGS="", MAKELEVEL="0",
                             **environment(t), **variables)


def build(t, source, target=None, defines=()):
    """The path of the shared object made of a C file, in a folder of the test's own unless told where."""
    if not hasattr(t.broker, "shuntd"):
        raise Skip("needs a shuntd of its own")
    for program in (COMPILER[0], "pkg-config"):
        if not shutil.which(program):
            raise Skip(program + " is not installed")
    target = target or os.path.join(folder(t), os.path.basename(source).replace(".c", ".so"))
    with open(source, "rb") as f:
        key = source, f.read(), tuple(defines)
    shutil.copy(_made_once(t, key, lambda path: process.output_of(
        t, *COMPILER, "-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O2", "-fPIC", "-shared", "-Wl,-z,defs",
        *("-D" + define for define in defines), *_compiler_flags(t), source, "-o", path)), target)
    return target


def check(t, *options, lines=(), path=None):
    """Starts shuntd with what it should refuse, or with --check-config among the options.

    `lines` are those of a configuration file, `path` is where that is written. Returns (exit status, lines on
    standard error without their times)."""
    if not hasattr(t.broker, "shuntd"):
        raise Skip("needs a shuntd of its own")
    path = path or os.path.join(folder(t), "shunt.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write("".join(line + "\n" for line in lines))
    own = os.path.dirname(path)
    command = [*t.broker.wrapper, t.broker.shuntd, "-c", path, "-o", "listeners.tcp.default=0",
               "-o", "data_dir=%s/data" % own, "-o", "control.socket=%s/control.sock" % own, *options]
    if t.broker.plugins and not any(line.replace(" ", "").startswith("plugins.dir=") for line in (*lines, *options)):
        command += ["-o", "plugins.dir=" + os.path.abspath(t.broker.plugins)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=t.limit, check=False)
    # 2026-01-02T03:04:05.678Z E plugin[0]: text
    return done.returncode, [line.split(" ", 1)[1] for line in done.stdout.decode("utf-8", "replace").splitlines()]
