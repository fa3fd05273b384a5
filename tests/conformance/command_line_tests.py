"""The AWS CLI puts, gets and delivers."""

import base64
import json
import unittest

from deliveries import Deliveries, extended_s3, wait_until


class CommandLine(Deliveries, unittest.TestCase):
    def aws(self, service, *arguments):
        ended = self.server.run("aws", service, *arguments, "--output", "json")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return json.loads(ended.stdout) if ended.stdout.strip() else {}

    def test_a_record_put_on_the_command_line_is_read_there(self):
        self.aws("kinesis", "create-stream", "--stream-name", "cli", "--shard-count", "1")
        self.aws("kinesis", "wait", "stream-exists", "--stream-name", "cli")
        put = self.aws(
            "kinesis", "put-record", "--stream-name", "cli", "--partition-key", "a",
            "--data", "hello",
        )
        iterator = self.aws(
            "kinesis", "get-shard-iterator", "--stream-name", "cli", "--shard-id", put["ShardId"],
            "--shard-iterator-type", "TRIM_HORIZON",
        )
        start = iterator["ShardIterator"]
        got = self.aws("kinesis", "get-records", "--shard-iterator", start)
        [record] = got["Records"]
        self.assertEqual(base64.b64decode(record["Data"]), b"hello")
        self.assertEqual(record["SequenceNumber"], put["SequenceNumber"])

    def test_a_stream_is_encrypted_on_the_command_line(self):
        self.aws("kinesis", "create-stream", "--stream-name", "sealed", "--shard-count", "1")
        self.aws("kinesis", "wait", "stream-exists", "--stream-name", "sealed")
        key = ["--stream-name", "sealed", "--encryption-type", "KMS", "--key-id",
               "alias/aws/kinesis"]
        self.aws("kinesis", "start-stream-encryption", *key)
        self.aws("kinesis", "wait", "stream-exists", "--stream-name", "sealed")
        put = self.aws(
            "kinesis", "put-record", "--stream-name", "sealed", "--partition-key", "a",
            "--data", "hello",
        )
        self.assertEqual(put["EncryptionType"], "KMS")
        self.aws("kinesis", "stop-stream-encryption", *key)

    def test_streams_are_listed_by_its_paginator(self):
        for number in range(3):
            name = f"paged-{number}"
            self.aws("kinesis", "create-stream", "--stream-name", name, "--shard-count", "1")
        listed = self.aws("kinesis", "list-streams", "--page-size", "1")["StreamNames"]
        self.assertLessEqual({f"paged-{number}" for number in range(3)}, set(listed))

    def test_a_record_put_on_the_command_line_is_delivered(self):
        self.name = "cli-delivery"
        name = ("--delivery-stream-name", self.name)
        destination = json.dumps(extended_s3(self.bucket, Prefix="cli/"))
        made = self.aws(
            "firehose", "create-delivery-stream", *name,
            "--extended-s3-destination-configuration", destination,
        )
        self.assertTrue(made["DeliveryStreamARN"].endswith(":deliverystream/cli-delivery"))

        def described():
            answer = self.aws("firehose", "describe-delivery-stream", *name)
            description = answer["DeliveryStreamDescription"]
            return description["DeliveryStreamStatus"] == "ACTIVE" and description

        stream = wait_until(described, "it is ACTIVE")
        self.assertEqual(stream["DeliveryStreamARN"], made["DeliveryStreamARN"])
        self.assertEqual(stream["Destinations"][0]["DestinationId"], "destinationId-000000000001")
        put = self.aws("firehose", "put-record", *name, "--record", '{"Data": "hello"}')
        self.assertTrue(put["RecordId"])
        batch = '[{"Data": "one"}, {"Data": "two"}]'
        put = self.aws("firehose", "put-record-batch", *name, "--records", batch)
        self.assertEqual((put["FailedPutCount"], len(put["RequestResponses"])), (0, 2))
        self.flush()
        self.assertEqual([content for _, content in self.objects("cli/")], [b"helloonetwo"])
        listed = self.aws("firehose", "list-delivery-streams")
        self.assertEqual(listed["DeliveryStreamNames"], ["cli-delivery"])
        self.aws("firehose", "delete-delivery-stream", *name)


if __name__ == "__main__":
    unittest.main()
