"""The README's walk, executed as it is written. Only the port is another one, so that a server on
the usual port is no hindrance."""

import re
import shlex
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from server import REPOSITORY, Server

PORT = "127.0.0.1:4567"
SECTION = "## Five minutes"


def blocks():
    """(language, text) of the fenced blocks of the walk."""
    text = (REPOSITORY / "README.md").read_text()
    section = text.split(f"\n{SECTION}", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


class Readme(unittest.TestCase):
    def test_the_walk_does_what_it_says(self):
        (_, start), *rest = blocks()
        [serve] = re.findall(r"^\S*millrace (serve.*)$", start, re.MULTILINE)
        server = Server(arguments=shlex.split(serve))
        self.addCleanup(server.stop)
        address = server.endpoint.removeprefix("http://")
        environment = server.environment()
        # The walk sets these itself.
        for name in list(environment):
            if name.startswith(("AWS_ENDPOINT", "AWS_ACCESS", "AWS_SECRET", "AWS_REGION")):
                del environment[name]
        environment.pop("AWS_DEFAULT_REGION", None)

        exports, outputs = "", []
        for language, text in rest:
            self.assertIn(language, ("sh", "python", "text"))
            if language == "text":
                for line in text.splitlines():
                    self.assertIn(line, outputs[-1], "the walk does not print what it says")
                continue
            text = text.replace(PORT, address)
            if language == "python":
                text = f"{shlex.quote(sys.executable)} - <<'PYTHON'\n{text}PYTHON\n"
            ended = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", exports + text],
                env=environment,
                cwd=server.directory.name,
                capture_output=True,
                text=True,
                timeout=120,
            )
            self.assertEqual(ended.returncode, 0, f"{text}\n{ended.stdout}{ended.stderr}")
            outputs.append(ended.stdout)
            lines = text.splitlines(keepends=True)
            exports += "".join(line for line in lines if line.startswith("export "))
        self.assertLessEqual(2, len(outputs))

    def test_the_configuration_is_one_that_the_server_takes(self):
        text = (REPOSITORY / "README.md").read_text()
        [configuration] = re.findall(r"^```toml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        with tempfile.TemporaryDirectory(prefix="millrace-conformance-") as directory:
            path = Path(directory, "millrace.toml")
            path.write_text(configuration)
            server = Server("--config", str(path))
            self.addCleanup(server.stop)
        server.kinesis().list_streams()

    def test_both_kinds_of_client_are_in_the_walk(self):
        languages = [language for language, _ in blocks()]
        text = "".join(text for _, text in blocks())
        self.assertIn("python", languages)
        self.assertIn("aws kinesis put-record", text)


if __name__ == "__main__":
    unittest.main()
