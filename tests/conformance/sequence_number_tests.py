"""Sequence numbers as boto3 gets them, read as the Kinesis Client Library reads them, and the
errors about them."""

import unittest

from botocore.exceptions import ClientError

from server import ACCOUNT, Server

OLDEST = {"ShardIteratorType": "TRIM_HORIZON"}


def version(number):
    """As KCL's validator reads it."""
    return int(number) >> 184 & 0xF


def shard_index(number):
    """As KCL's validator reads it."""
    return int(number) >> 4 & 0xFFFFFFFF


class SequenceNumbers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--no-throttle")
        cls.addClassCleanup(cls.server.stop)
        cls.kinesis = cls.server.kinesis()

    def setUp(self):
        self.name = self.id().split(".")[-1][:120]
        self.kinesis.create_stream(StreamName=self.name, ShardCount=3)
        self.kinesis.get_waiter("stream_exists").wait(
            StreamName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        self.shards = self.kinesis.list_shards(StreamName=self.name)["Shards"]

    def put_in_each(self):
        """One record in each shard; their numbers in the order of the shards."""
        records = [
            {
                "Data": b"x",
                "PartitionKey": "a",
                "ExplicitHashKey": shard["HashKeyRange"]["StartingHashKey"],
            }
            for shard in self.shards
        ]
        answer = self.kinesis.put_records(StreamName=self.name, Records=records)
        self.assertEqual(answer["FailedRecordCount"], 0)
        return [record["SequenceNumber"] for record in answer["Records"]]

    def read(self, index, **start):
        iterator = self.kinesis.get_shard_iterator(
            StreamName=self.name, ShardId=self.shards[index]["ShardId"], **start
        )["ShardIterator"]
        records = self.kinesis.get_records(ShardIterator=iterator)["Records"]
        return [record["SequenceNumber"] for record in records]

    def test_numbers_are_unique_in_a_stream_and_name_their_shard_and_version(self):
        rounds = [self.put_in_each() for _ in range(3)]
        self.assertEqual(len({number for numbers in rounds for number in numbers}), 9)
        for index in range(3):
            of_shard = [numbers[index] for numbers in rounds]
            self.assertEqual(of_shard, sorted(of_shard))
            self.assertEqual(of_shard, self.read(index, **OLDEST))
            for number in of_shard:
                self.assertRegex(number, r"^49\d{54}$")
                self.assertEqual(int(number).bit_length(), 186)
                self.assertEqual(version(number), 2)
                self.assertEqual(shard_index(number), index)
                self.assertEqual(int(number) & 0xF, 2)

    def test_a_shard_begins_with_a_number_before_its_first_record(self):
        numbers = self.put_in_each()
        for index, shard in enumerate(self.shards):
            start = shard["SequenceNumberRange"]["StartingSequenceNumber"]
            self.assertLess(int(start), int(numbers[index]))
            self.assertEqual(version(start), 2)
            self.assertEqual(shard_index(start), index)
            for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
                found = self.read(index, ShardIteratorType=kind, StartingSequenceNumber=start)
                self.assertEqual(found, [numbers[index]])

    def test_a_number_of_another_shard_is_refused(self):
        number = self.put_in_each()[1]
        with self.assertRaises(ClientError) as raised:
            self.read(0, ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=number)
        error = raised.exception.response["Error"]
        self.assertEqual(error["Code"], "InvalidArgumentException")
        self.assertEqual(
            error["Message"],
            "Invalid StartingSequenceNumber. It encodes shardId-000000000001, while it was used in "
            "a call to a shard with shardId-000000000000",
        )

    def test_a_record_is_ordered_after_any_number_that_the_service_has_made(self):
        record = {"StreamName": self.name, "Data": b"x", "PartitionKey": "a"}
        own = self.put_in_each()[0]
        for number in ("0", own, "49590338271490256608559692538361571095921575989136588898"):
            self.kinesis.put_record(**record, SequenceNumberForOrdering=number)
        with self.assertRaises(ClientError) as raised:
            self.kinesis.put_record(**record, SequenceNumberForOrdering=str(2**186))
        error = raised.exception.response["Error"]
        self.assertEqual(error["Code"], "InvalidArgumentException")
        self.assertIn(f"on stream {self.name} under account {ACCOUNT} is invalid", error["Message"])

    def test_millis_behind_latest_is_0_only_at_the_tip(self):
        for _ in range(10):
            self.put_in_each()
        iterator = self.kinesis.get_shard_iterator(
            StreamName=self.name, ShardId=self.shards[0]["ShardId"], **OLDEST
        )["ShardIterator"]
        for left in reversed(range(10)):
            answer = self.kinesis.get_records(ShardIterator=iterator, Limit=1)
            self.assertEqual(len(answer["Records"]), 1)
            self.assertEqual(answer["MillisBehindLatest"] == 0, left == 0, left)
            iterator = answer["NextShardIterator"]

    def test_an_arn_names_the_partition_of_its_region(self):
        china = self.server.kinesis(region="cn-north-1")
        china.create_stream(StreamName=self.name, ShardCount=1)
        answer = china.describe_stream_summary(StreamName=self.name)
        arn = f"arn:aws-cn:kinesis:cn-north-1:{ACCOUNT}:stream/{self.name}"
        self.assertEqual(answer["StreamDescriptionSummary"]["StreamARN"], arn)


if __name__ == "__main__":
    unittest.main()
