"""Servers that are programs in Java, run from their source with the libraries that xtask brings."""

import contextlib
import re
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent / "java"


@contextlib.contextmanager
def listening(source, libraries, *arguments, options=()):
    """The address of a program, at 127.0.0.1, for as long as it is wanted."""
    command = ["java", *options, "--class-path", f"{libraries}/*", str(SOURCES / source)]
    with subprocess.Popen(
        [*command, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:
        for line in process.stdout:
            if found := re.match(r"ready (http://127\.0\.0\.1:\d+)", line):
                yield found.group(1)
                break
        # Its standard input ends, and so does it.
        process.communicate(timeout=30)
