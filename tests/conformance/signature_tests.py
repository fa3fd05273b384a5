"""A server with credentials: every request must be signed with one of them."""

import os
import tempfile
import unittest

from botocore.exceptions import ClientError

from server import Server

CONFIGURATION = """
[[credentials]]
access_key_id = "AKIDEXAMPLE"
secret_access_key = "secret"
account = "000000000000"

[[credentials]]
access_key_id = "AKIDOTHER"
secret_access_key = "other secret"
account = "111111111111"
"""


class Signatures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        cls.addClassCleanup(directory.cleanup)
        path = os.path.join(directory.name, "millrace.toml")
        with open(path, "w") as file:
            file.write(CONFIGURATION)
        cls.server = Server("--config", path)
        cls.addClassCleanup(cls.server.stop)

    def code(self, *credentials):
        with self.assertRaises(ClientError) as raised:
            self.server.kinesis(*credentials).list_streams()
        return raised.exception.response["Error"]["Code"]

    def test_a_known_key_is_let_in(self):
        self.server.kinesis().list_streams()

    def test_an_unknown_key_is_not(self):
        self.assertEqual(self.code("AKIDUNKNOWN", "secret"), "UnrecognizedClientException")

    def test_a_wrong_secret_is_not(self):
        self.assertEqual(self.code("AKIDEXAMPLE", "wrong"), "InvalidSignatureException")

    def test_two_accounts_do_not_see_each_other(self):
        one, other = self.server.kinesis(), self.server.kinesis("AKIDOTHER", "other secret")
        one.create_stream(StreamName="mine", ShardCount=1)
        self.assertNotIn("mine", other.list_streams()["StreamNames"])
        other.create_stream(StreamName="mine", ShardCount=1)
        summaries = [client.describe_stream_summary(StreamName="mine") for client in (one, other)]
        arns = [answer["StreamDescriptionSummary"]["StreamARN"] for answer in summaries]
        self.assertIn(":000000000000:", arns[0])
        self.assertIn(":111111111111:", arns[1])


if __name__ == "__main__":
    unittest.main()
