"""The README's walks, executed as they are written. Only the port is another one, so that a server
on the usual port is no hindrance."""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from deliveries import ROLE, wait_until
from server import PROGRAM, REPOSITORY, Server

PORT = "127.0.0.1:4567"
STREAMS = "## Five minutes"
DELIVERY = "## Into objects, through a component"
ROWS = "## Rows of Parquet and ORC files"
SQL = "## Continuous SQL"


def blocks(heading):
    """(language, text) of the fenced blocks of a section."""
    text = (REPOSITORY / "README.md").read_text()
    section = text.split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def exports(text):
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith("export "))


class Readme(unittest.TestCase):
    def start(self, text):
        """The server of a section's first block."""
        [serve] = re.findall(r"^\S*millrace (serve.*)$", text, re.MULTILINE)
        # The walk begins in the repository, the server does not.
        plugins = str(REPOSITORY / "plugins")
        words = [plugins if word == "plugins" else word for word in shlex.split(serve)]
        server = Server(arguments=words)
        self.addCleanup(server.stop)
        return server

    def run_block(self, server, language, text, before):
        environment = server.environment()
        # The walk sets these itself.
        for name in list(environment):
            if name.startswith(("AWS_ENDPOINT", "AWS_ACCESS", "AWS_SECRET", "AWS_REGION")):
                del environment[name]
        environment.pop("AWS_DEFAULT_REGION", None)
        if language == "python":
            text = f"{shlex.quote(sys.executable)} - <<'PYTHON'\n{text}PYTHON\n"
        text = (before + text).replace(PORT, server.endpoint.removeprefix("http://"))
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            env=environment,
            cwd=server.directory.name,
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertEqual(ended.returncode, 0, f"{text}\n{ended.stdout}{ended.stderr}")
        return ended.stdout

    def walk(self, heading, before=""):
        (_, start), *rest = blocks(heading)
        self.walk_on(self.start(start), rest, before)

    def walk_on(self, server, rest, before):
        printed = None
        for language, text in rest:
            self.assertIn(language, ("sh", "python", "text", "toml", "json"))
            if language == "toml":
                self.take(text)
                continue
            if language == "json":
                self.create(server, text)
                continue
            if language == "text":
                for line in text.splitlines():
                    self.assertIn(line, printed, "the walk does not print what it says")
                continue
            printed = self.run_block(server, language, text, before)
            before += exports(text)
        self.assertIsNotNone(printed)

    def test_the_walk_through_streams_does_what_it_says(self):
        self.walk(STREAMS)

    def test_the_walk_into_objects_does_what_it_says(self):
        self.walk(DELIVERY, exports("".join(text for _, text in blocks(STREAMS))))

    def test_the_walk_into_rows_does_what_it_says(self):
        (_, table), (_, configuration), *rest = blocks(ROWS)
        with tempfile.TemporaryDirectory(prefix="millrace-conformance-") as directory:
            database = Path(directory, "tables/shop")
            database.mkdir(parents=True)
            (database / "orders.json").write_text(table)
            path = Path(directory, "millrace.toml")
            tables = f'directory = "{directory}/tables"'
            path.write_text(configuration.replace('directory = "tables"', tables))
            server = Server("--config", str(path), "--data", "millrace-data")
            self.addCleanup(server.stop)
            before = exports("".join(text for _, text in blocks(STREAMS)))
            self.walk_on(server, rest, before)

    def test_the_walk_through_continuous_sql_does_what_it_says(self):
        [(_, commands), (_, said)] = blocks(SQL)
        environment = os.environ | {"PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}"}
        with tempfile.TemporaryDirectory(prefix="millrace-conformance-") as directory:
            ended = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", commands],
                env=environment,
                cwd=directory,
                capture_output=True,
                text=True,
                timeout=60,
            )
        self.assertEqual((ended.stdout, ended.stderr, ended.returncode), (said, "", 0))

    def create(self, server, members):
        """A delivery stream is made with these members of its S3 destination."""
        configuration = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::events"}
        server.firehose().create_delivery_stream(
            DeliveryStreamName="with-members",
            ExtendedS3DestinationConfiguration=configuration | json.loads("{" + members + "}"),
        )

    def take(self, configuration):
        """A server starts with the configuration, and answers."""
        with tempfile.TemporaryDirectory(prefix="millrace-conformance-") as directory:
            path = Path(directory, "millrace.toml")
            path.write_text(configuration)
            server = Server("--config", str(path))
            self.addCleanup(server.stop)
        server.kinesis().list_streams()

    def toml(self):
        """The manifest, the configuration, and the grants of an application."""
        text = (REPOSITORY / "README.md").read_text()
        found = re.findall(r"^```toml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        [manifest] = [block for block in found if block.startswith("name =")]
        [rollout] = [block for block in found if block.startswith("[rollout]")]
        [configuration] = [block for block in found if block.startswith("listen =")]
        of_word_count = '[[plugin_grants]]\nname = "word-count"'
        [grants] = [block for block in found if block.startswith(of_word_count)]
        return manifest + rollout, configuration, grants

    def test_the_manifest_is_one_that_a_plugin_is_loaded_with(self):
        component = "redact-card-numbers"
        path = REPOSITORY / "plugins" / component / f"{component}.wasm"
        with tempfile.TemporaryDirectory(prefix="millrace-conformance-") as directory:
            folder = Path(directory, "redact")
            folder.mkdir()
            (folder / "redact.wasm").write_bytes(path.read_bytes())
            (folder / "plugin.toml").write_text(self.toml()[0])
            server = Server("--plugins", directory)
            self.addCleanup(server.stop)

            def page():
                status, page = server.page("plugins/redact")
                done = status == 200 and (page["state"] == "running" or page["refused"])
                return page if done else None

            loaded = wait_until(page, "the plugin is loaded or refused")
        self.assertEqual((loaded["state"], loaded["version"]), ("running", "1.2.0"))

    def test_the_configuration_is_one_that_the_server_takes(self):
        _, configuration, grants = self.toml()
        self.take(configuration)
        self.take(grants)

    def test_both_kinds_of_client_are_in_the_walk(self):
        languages = [language for language, _ in blocks(STREAMS)]
        text = "".join(text for _, text in blocks(STREAMS))
        self.assertIn("python", languages)
        self.assertIn("aws kinesis put-record", text)


if __name__ == "__main__":
    unittest.main()
