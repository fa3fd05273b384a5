"""The AWS CLI puts and gets."""

import base64
import json
import subprocess
import unittest

from server import Server


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def aws(self, *arguments):
        ended = subprocess.run(
            ["aws", "kinesis", *arguments, "--output", "json"],
            env=self.server.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return json.loads(ended.stdout) if ended.stdout.strip() else {}

    def test_a_record_put_on_the_command_line_is_read_there(self):
        self.aws("create-stream", "--stream-name", "cli", "--shard-count", "1")
        self.aws("wait", "stream-exists", "--stream-name", "cli")
        put = self.aws(
            "put-record", "--stream-name", "cli", "--partition-key", "a", "--data", "hello"
        )
        iterator = self.aws(
            "get-shard-iterator", "--stream-name", "cli", "--shard-id", put["ShardId"],
            "--shard-iterator-type", "TRIM_HORIZON",
        )
        got = self.aws("get-records", "--shard-iterator", iterator["ShardIterator"])
        [record] = got["Records"]
        self.assertEqual(base64.b64decode(record["Data"]), b"hello")
        self.assertEqual(record["SequenceNumber"], put["SequenceNumber"])

    def test_streams_are_listed_by_its_paginator(self):
        for number in range(3):
            name = f"paged-{number}"
            self.aws("create-stream", "--stream-name", name, "--shard-count", "1")
        listed = self.aws("list-streams", "--page-size", "1")["StreamNames"]
        self.assertLessEqual({f"paged-{number}" for number in range(3)}, set(listed))


if __name__ == "__main__":
    unittest.main()
