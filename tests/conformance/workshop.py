"""What tests of plugins share that are made as their authors make them: a folder for them, and the
commands of the command line."""

import os
import subprocess
import tempfile
from pathlib import Path

from deliveries import Deliveries
from server import PROGRAM

# Compiling CPython takes a debug build of the server half a minute of processor time, and twice:
# the code that counts what is executed is another.
LIMITS = "compile_seconds = 120"
BUILD_SECONDS_MAX = 900


class Workshop(Deliveries):
    """Mixed into a test: a server, and a folder for plugins whose limits are the server's."""

    @classmethod
    def open_workshop(cls):
        """Makes the folder, before the server is started."""
        cls.workshop = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        cls.addClassCleanup(cls.workshop.cleanup)
        cls.config = Path(cls.workshop.name, "millrace.toml")
        cls.config.write_text(f"[plugin_limits]\n{LIMITS}\n")

    def environment(self):
        """What the command line needs to find the server, and what it installs."""
        cache = os.environ.get("MILLRACE_CACHE", os.path.join(self.workshop.name, "cache"))
        return {**self.server.environment(), "MILLRACE_CACHE": cache}

    def millrace(self, *arguments, code=0):
        """The command line in the workshop; what it printed, or complained of."""
        ended = subprocess.run(
            [str(PROGRAM), "plugin", *arguments],
            env=self.environment(),
            cwd=self.workshop.name,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS_MAX,
        )
        self.assertEqual(ended.returncode, code, f"{ended.stdout}{ended.stderr}")
        return ended.stdout if code == 0 else ended.stderr

    def runs_fixtures(self, name, records):
        printed = self.millrace("test", name, "--config", str(self.config))
        self.assertIn(f"{records} records as expected, 0 not", printed)
        for cost in ("fuel", "memory", "host calls", "output bytes"):
            self.assertIn(cost, printed)
