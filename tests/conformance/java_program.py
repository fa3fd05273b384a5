"""Servers that are programs in Java, run from their source with the libraries that xtask brings."""

import contextlib
import re
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent / "java"


class JavaProgram:
    """A program that listens at 127.0.0.1 and has said where."""

    def __init__(self, source, libraries, *arguments, options=()):
        command = ["java", *options, "--class-path", f"{libraries}/*", str(SOURCES / source)]
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        for line in self.process.stdout:
            if found := re.match(r"ready (http://127\.0\.0\.1:\d+)", line):
                self.url = found.group(1)
                return
        self.stop()
        raise RuntimeError(f"{source} is not ready")

    def stop(self):
        """Its standard input ends, and so does it."""
        self.process.communicate(timeout=30)

    def kill(self):
        """Ends it in the middle of what it does."""
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def listening(source, libraries, *arguments, options=()):
    """The address of a program for as long as it is wanted."""
    program = JavaProgram(source, libraries, *arguments, options=options)
    try:
        yield program.url
    finally:
        program.stop()
