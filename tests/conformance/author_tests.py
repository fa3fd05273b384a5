"""Plugins of each language as their author gets them: `plugin new` makes one, `build` installs what
the language needs and builds it, `test` runs its fixtures, and a server delivers through it."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from deliveries import Deliveries, extended_s3, lambda_processor
from server import PROGRAM, REPOSITORY

# Compiling CPython takes a debug build of the server half a minute of processor time, and twice:
# the code that counts what is executed is another.
LIMITS = "compile_seconds = 120"
BUILD_SECONDS_MAX = 900


class Authors(Deliveries, unittest.TestCase):
    plugin_limits = LIMITS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.workshop = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        cls.addClassCleanup(cls.workshop.cleanup)
        cls.config = Path(cls.workshop.name, "millrace.toml")
        cls.config.write_text(f"[plugin_limits]\n{LIMITS}\n")

    def millrace(self, *arguments, code=0):
        """The command line in the workshop; what it printed."""
        environment = self.server.environment()
        cache = os.environ.get("MILLRACE_CACHE", os.path.join(self.workshop.name, "cache"))
        ended = subprocess.run(
            [str(PROGRAM), "plugin", *arguments],
            env={**environment, "MILLRACE_CACHE": cache},
            cwd=self.workshop.name,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS_MAX,
        )
        self.assertEqual(ended.returncode, code, f"{ended.stdout}{ended.stderr}")
        return ended.stdout

    def built(self, language, world):
        name = f"{language}-{world}"
        self.millrace("new", name, "--lang", language, "--world", world)
        print(self.millrace("build", name).strip())
        return name

    def runs_fixtures(self, name, records):
        printed = self.millrace("test", name, "--config", str(self.config))
        self.assertIn(f"{records} records as expected, 0 not", printed)
        for cost in ("fuel", "memory", "host calls", "output bytes"):
            self.assertIn(cost, printed)

    def delivers(self, language):
        name = self.built(language, "transform")
        self.runs_fixtures(name, 4)
        checked = self.millrace("check", name, "--config", str(self.config))
        self.assertIn("transformer-simple", checked)
        self.assertIn("is in force", self.millrace("deploy", name))
        prefixes = {"Prefix": "good/", "ErrorOutputPrefix": "failed/"}
        self.create(extended_s3(self.bucket, lambda_processor(name), **prefixes))
        self.put(*(f"guest {number}".encode() for number in range(100)), b" ", b"\xff")
        self.flush()
        expected = [f"hello, guest {number}!".encode() for number in range(100)]
        self.assertEqual(self.lines("good/"), expected)
        status = self.status()
        counts = [status[count] for count in ("delivered", "dropped", "failed", "trouble")]
        self.assertEqual(counts, [100, 1, 1, None])
        self.assertEqual(self.plugin(name)["counters"], {"without_name": 1})

    def answers(self, language, source):
        """Every answer of the language's SDK, by a plugin of the tests."""
        name = f"{language}-answers"
        self.millrace("new", name, "--lang", language)
        folder = Path(self.workshop.name, name)
        components = REPOSITORY / "tests/conformance/components/sdk"
        shutil.copy(components / source, folder / source)
        shutil.rmtree(folder / "tests")
        (folder / "tests").mkdir()
        for file in ("answers.in.jsonl", "answers.out.jsonl"):
            shutil.copy(components / file, folder / "tests" / file)
        self.millrace("build", name)
        self.runs_fixtures(name, 7)

    def consumes(self, language):
        name = self.built(language, "consumer")
        self.runs_fixtures(name, 2)
        self.assertIn("consumer-simple", self.millrace("check", name, "--config", str(self.config)))

    def test_a_transform_in_javascript_delivers(self):
        self.delivers("js")

    def test_a_transform_in_python_delivers(self):
        self.delivers("python")

    def test_a_transform_in_c_delivers(self):
        self.delivers("c")

    def test_a_record_in_javascript_has_every_answer(self):
        self.answers("js", "plugin.js")

    def test_a_record_in_python_has_every_answer(self):
        self.answers("python", "plugin.py")

    def test_a_record_in_c_has_every_answer(self):
        self.answers("c", "plugin.c")

    def test_a_consumer_in_javascript_writes_tables_and_emits(self):
        self.consumes("js")

    def test_a_consumer_in_python_writes_tables_and_emits(self):
        self.consumes("python")

    def test_a_consumer_in_c_writes_tables_and_emits(self):
        self.consumes("c")


if __name__ == "__main__":
    unittest.main()
