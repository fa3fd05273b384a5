"""A stream that is shared between accounts by its policy, and keys of users with policies of their
own, as boto3 sees them."""

import json
import os
import tempfile
import unittest

import boto3
from botocore.exceptions import ClientError

from server import ACCOUNT, REGION, Server
from valid_answers import ValidAnswers

OTHER = "111111111111"
TOKEN = "the-token-of-a-session"
READING = ["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Sid": "Read", "Effect": "Allow", "Action": READING, "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:kinesis:*:*:stream/secret-*"},
    ],
}
CONFIGURATION = f"""
[[credentials]]
access_key_id = "AKIDEXAMPLE"
secret_access_key = "secret"
account = "{ACCOUNT}"

[[credentials]]
access_key_id = "AKIDREADER"
secret_access_key = "reader's secret"
account = "{OTHER}"
user = "reader"
policy = '''{json.dumps(POLICY)}'''

[[credentials]]
access_key_id = "ASIDREADER"
secret_access_key = "reader's secret"
account = "{OTHER}"
user = "reader"
session_token = "{TOKEN}"
expires = "2999-12-31T23:59:59Z"

[[credentials]]
access_key_id = "ASIDLATE"
secret_access_key = "reader's secret"
account = "{OTHER}"
session_token = "{TOKEN}"
expires = "2026-01-01"
"""


def shared_with(principal):
    """A policy that lets somebody read the stream that it is put on."""
    return json.dumps({
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": READING,
            "Resource": "*",
        },
    })


class Sharing(ValidAnswers, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        cls.addClassCleanup(directory.cleanup)
        path = os.path.join(directory.name, "millrace.toml")
        with open(path, "w") as file:
            file.write(CONFIGURATION)
        cls.server = Server("--config", path, "--no-throttle")
        cls.addClassCleanup(cls.server.stop)
        cls.owner = cls.server.kinesis()
        cls.reader = cls.server.kinesis("AKIDREADER", "reader's secret")

    def stream(self, name):
        self.owner.create_stream(StreamName=name, ShardCount=1)
        self.owner.get_waiter("stream_exists").wait(
            StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"

    def refusal(self, operation, **members):
        with self.assertRaises(ClientError) as raised:
            operation(**members)
        answer = raised.exception.response
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 400)
        return answer["Error"]["Code"], answer["Error"]["Message"]

    def temporary(self, key_id, token=TOKEN):
        return boto3.client(
            "kinesis", endpoint_url=self.server.endpoint, region_name=REGION,
            aws_access_key_id=key_id, aws_secret_access_key="reader's secret",
            aws_session_token=token,
        )

    def test_a_shared_stream_is_read_by_its_arn(self):
        arn = self.stream("shared")
        answer = self.owner.get_resource_policy(ResourceARN=arn)
        self.assert_valid("GetResourcePolicy", answer)
        self.assertEqual(answer["Policy"], "{}")
        policy = shared_with(f"arn:aws:iam::{OTHER}:user/reader")
        self.owner.put_resource_policy(ResourceARN=arn, Policy=policy)
        answer = self.owner.get_resource_policy(ResourceARN=arn)
        self.assert_valid("GetResourcePolicy", answer)
        self.assertEqual(answer["Policy"], policy)
        self.owner.put_record(StreamName="shared", Data=b"data", PartitionKey="a")
        for client in [self.reader, self.temporary("ASIDREADER")]:
            shards = client.list_shards(StreamARN=arn)["Shards"]
            iterator = client.get_shard_iterator(
                StreamARN=arn, ShardId=shards[0]["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )
            iterator = iterator["ShardIterator"]
            records = client.get_records(ShardIterator=iterator, StreamARN=arn)["Records"]
            self.assertEqual([record["Data"] for record in records], [b"data"])
        put = {"StreamARN": arn, "Data": b"", "PartitionKey": "a"}
        code, text = self.refusal(self.reader.put_record, **put)
        self.assertEqual(code, "AccessDeniedException")
        self.assertEqual(
            text,
            f"User: arn:aws:iam::{OTHER}:user/reader is not authorized to perform: "
            f"kinesis:PutRecord on resource: {arn} because no identity-based policy allows the "
            "kinesis:PutRecord action",
        )
        self.owner.delete_resource_policy(ResourceARN=arn)
        code, text = self.refusal(self.reader.list_shards, StreamARN=arn)
        self.assertEqual(code, "AccessDeniedException")
        self.assertIn("because no resource-based policy allows the kinesis:ListShards", text)
        code, text = self.refusal(self.owner.delete_resource_policy, ResourceARN=arn)
        self.assertEqual(code, "ResourceNotFoundException")
        self.assertEqual(text, f"No resource policy found for resource ARN {arn}.")

    def test_a_policy_that_cannot_be_kept_to_is_refused(self):
        arn = self.stream("unshared")
        for policy in ["", "{}", "[]", shared_with("nobody")]:
            code, _ = self.refusal(
                self.owner.put_resource_policy, ResourceARN=arn, Policy=policy
            )
            self.assertEqual(code, "InvalidArgumentException", policy)
        long = shared_with(OTHER) + " " * 20480
        code, _ = self.refusal(self.owner.put_resource_policy, ResourceARN=arn, Policy=long)
        self.assertEqual(code, "LimitExceededException")

    def test_a_deny_goes_before_what_is_shared_and_the_log_says_which(self):
        arn = self.stream("secret-one")
        self.owner.put_resource_policy(ResourceARN=arn, Policy=shared_with(OTHER))
        code, text = self.refusal(self.reader.list_shards, StreamARN=arn)
        self.assertEqual(code, "AccessDeniedException")
        self.assertTrue(text.endswith("with an explicit deny in an identity-based policy"))
        self.assertTrue(self.server.logged("statement 2 of the caller's policy denies it"))

    def test_temporary_credentials_are_good_with_their_token_until_they_end(self):
        code, text = self.refusal(self.temporary("ASIDLATE").list_streams)
        self.assertEqual(code, "ExpiredTokenException")
        self.assertEqual(text, "The security token included in the request is expired")
        for token in [None, "the-token-of-another"]:
            code, text = self.refusal(self.temporary("ASIDREADER", token).list_streams)
            self.assertEqual(code, "UnrecognizedClientException")
            self.assertEqual(text, "The security token included in the request is invalid.")
        self.temporary("ASIDREADER").list_streams()

    def test_a_user_is_told_its_name(self):
        client = boto3.client(
            "sts", endpoint_url=self.server.endpoint, region_name=REGION,
            aws_access_key_id="AKIDREADER", aws_secret_access_key="reader's secret",
        )
        answer = client.get_caller_identity()
        self.assertEqual(answer["Arn"], f"arn:aws:iam::{OTHER}:user/reader")
        self.assertEqual(answer["Account"], OTHER)


if __name__ == "__main__":
    unittest.main()
