"""Who calls, as STS says it: what Terraform and the AWS CLI ask before anything else."""

import os
import tempfile
import unittest
import urllib.error
import urllib.request

from botocore.exceptions import ClientError

from server import REGION, Server
from signature_tests import CONFIGURATION

USERS = """
[[credentials]]
access_key_id = "AKIDALICE"
secret_access_key = "hers"
account = "111111111111"
user = "alice"

[[credentials]]
access_key_id = "ASIATEMPORARY"
secret_access_key = "for a while"
account = "111111111111"
user = "bob"
session_token = "a/token+of=16-characters"
expires = "2099-01-01T00:00:00Z"

[[credentials]]
access_key_id = "ASIAEXPIRED"
secret_access_key = "no more"
account = "111111111111"
session_token = "another/token+of=16"
expires = "2026-01-01T00:00:00Z"
"""
TEMPORARY = ("ASIATEMPORARY", "for a while", "a/token+of=16-characters")


class Identity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        cls.addClassCleanup(directory.cleanup)
        path = os.path.join(directory.name, "millrace.toml")
        with open(path, "w") as file:
            file.write(CONFIGURATION + USERS)
        cls.server = Server("--config", path)
        cls.addClassCleanup(cls.server.stop)

    def test_a_caller_is_told_who_it_is(self):
        for key, account in [
            (("AKIDEXAMPLE", "secret"), "000000000000"),
            (("AKIDOTHER", "other secret"), "111111111111"),
            (("AKIDALICE", "hers"), "111111111111"),
        ]:
            answer = self.server.sts(*key).get_caller_identity()
            self.assertEqual(answer["Account"], account)
            who = "user/alice" if key[0] == "AKIDALICE" else "root"
            self.assertEqual(answer["Arn"], f"arn:aws:iam::{account}:{who}")
            self.assertTrue(answer["UserId"])
            self.assertTrue(answer["ResponseMetadata"]["RequestId"])

    def test_a_presigned_address_tells_whoever_has_it(self):
        for method in ["GET", "POST"]:
            address = self.server.sts().generate_presigned_url(
                "get_caller_identity", ExpiresIn=60, HttpMethod=method
            )
            request = urllib.request.Request(address, method=method)
            with urllib.request.urlopen(request, timeout=60) as answer:
                self.assertIn(b":iam::000000000000:root</Arn>", answer.read())

    def test_temporary_credentials_are_told_who_they_are(self):
        client = self.server.sts(*TEMPORARY[:2], token=TEMPORARY[2])
        self.assertTrue(client.get_caller_identity()["Arn"].endswith("111111111111:user/bob"))
        address = client.generate_presigned_url("get_caller_identity", HttpMethod="GET")
        with urllib.request.urlopen(address, timeout=60) as answer:
            self.assertIn(b"user/bob</Arn>", answer.read())
        other = address.replace("X-Amz-Security-Token=a", "X-Amz-Security-Token=b")
        self.assertNotEqual(other, address)
        with self.assertRaises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(other, timeout=60)
        with raised.exception as refused:
            self.assertEqual(refused.code, 403)
            self.assertIn(b"<Code>InvalidClientTokenId</Code>", refused.read())
        for key, token, code in [
            (TEMPORARY[:2], "another-token-of-16", "InvalidClientTokenId"),
            (TEMPORARY[:2], None, "InvalidClientTokenId"),
            (("ASIAEXPIRED", "no more"), "another/token+of=16", "ExpiredToken"),
        ]:
            with self.assertRaises(ClientError) as raised:
                self.server.sts(*key, token=token).get_caller_identity()
            self.assertEqual(raised.exception.response["Error"]["Code"], code)

    def test_an_error_is_one_of_sts(self):
        for key, code in [
            (("AKIDUNKNOWN", "secret"), "InvalidClientTokenId"),
            (("AKIDEXAMPLE", "wrong"), "SignatureDoesNotMatch"),
        ]:
            with self.assertRaises(ClientError) as raised:
                self.server.sts(*key).get_caller_identity()
            self.assertEqual(raised.exception.response["Error"]["Code"], code)
            status = raised.exception.response["ResponseMetadata"]["HTTPStatusCode"]
            self.assertEqual(status, 403)

    def test_another_action_is_refused_by_its_name(self):
        with self.assertRaises(ClientError) as raised:
            self.server.sts().get_session_token()
        error = raised.exception.response["Error"]
        self.assertEqual(error["Code"], "InvalidAction")
        self.assertIn("GetSessionToken", error["Message"])

    def test_the_command_line_says_who_calls(self):
        ended = self.server.run(
            "aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text",
            "--region", REGION,
        )
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertEqual(ended.stdout.strip(), "arn:aws:iam::000000000000:root")


if __name__ == "__main__":
    unittest.main()
