"""Who calls, as STS says it: what Terraform and the AWS CLI ask before anything else."""

import os
import tempfile
import unittest
import urllib.request

from botocore.exceptions import ClientError

from server import REGION, Server
from signature_tests import CONFIGURATION


class Identity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        cls.addClassCleanup(directory.cleanup)
        path = os.path.join(directory.name, "millrace.toml")
        with open(path, "w") as file:
            file.write(CONFIGURATION)
        cls.server = Server("--config", path)
        cls.addClassCleanup(cls.server.stop)

    def test_a_caller_is_told_who_it_is(self):
        for key, account in [
            (("AKIDEXAMPLE", "secret"), "000000000000"),
            (("AKIDOTHER", "other secret"), "111111111111"),
        ]:
            answer = self.server.sts(*key).get_caller_identity()
            self.assertEqual(answer["Account"], account)
            self.assertEqual(answer["Arn"], f"arn:aws:iam::{account}:root")
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
