"""The errors that the service model documents for each operation, as boto3 raises them, where a
client alone can cause them. What needs another hour of the clock is tested in `tests/streams`."""

import unittest

from botocore.exceptions import ClientError

from server import ACCOUNT, REGION, Server

SHARD = "shardId-000000000000"


class Calls(unittest.TestCase):
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.flags)
        cls.addClassCleanup(cls.server.stop)
        cls.kinesis = cls.server.kinesis()

    def setUp(self):
        self.name = self.id().split(".")[-1][:120]

    def stream(self, shards=1):
        self.kinesis.create_stream(StreamName=self.name, ShardCount=shards)
        self.kinesis.get_waiter("stream_exists").wait(
            StreamName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )

    def fails(self, code, operation, **members):
        kinesis = members.pop("client", self.kinesis)
        with self.assertRaises(ClientError) as raised:
            getattr(kinesis, operation)(**members)
        answer = raised.exception.response
        self.assertEqual(answer["Error"]["Code"], code, answer)
        self.assertTrue(answer["Error"]["Message"])
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 400)
        self.assertTrue(answer["ResponseMetadata"]["RequestId"])
        return answer["Error"]["Message"]


class Errors(Calls):
    # Each test makes a stream, and more than five of them in a second are too many.
    flags = ("--no-throttle",)

    def test_every_operation_on_a_stream_that_is_not_there_says_which(self):
        calls = {
            "add_tags_to_stream": {"Tags": {"a": "b"}},
            "decrease_stream_retention_period": {"RetentionPeriodHours": 24},
            "delete_stream": {},
            "describe_stream": {},
            "describe_stream_summary": {},
            "disable_enhanced_monitoring": {"ShardLevelMetrics": ["ALL"]},
            "enable_enhanced_monitoring": {"ShardLevelMetrics": ["ALL"]},
            "get_shard_iterator": {"ShardId": SHARD, "ShardIteratorType": "LATEST"},
            "increase_stream_retention_period": {"RetentionPeriodHours": 48},
            "list_shards": {},
            "list_tags_for_stream": {},
            "merge_shards": {"ShardToMerge": SHARD, "AdjacentShardToMerge": SHARD},
            "put_record": {"Data": b"x", "PartitionKey": "a"},
            "put_records": {"Records": [{"Data": b"x", "PartitionKey": "a"}]},
            "remove_tags_from_stream": {"TagKeys": ["a"]},
            "split_shard": {"ShardToSplit": SHARD, "NewStartingHashKey": "5"},
            "update_shard_count": {"TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING"},
            "update_stream_warm_throughput": {"WarmThroughputMiBps": 1},
        }
        stream = f"Stream {self.name} under account {ACCOUNT} not found."
        shard = f"Shard {SHARD} in stream {self.name} under account {ACCOUNT} does not exist"
        for operation, members in calls.items():
            with self.subTest(operation):
                code = "ResourceNotFoundException"
                text = self.fails(code, operation, StreamName=self.name, **members)
                self.assertEqual(text, shard if operation == "get_shard_iterator" else stream)

    def test_every_operation_on_the_arn_of_a_stream_that_is_not_there_says_which(self):
        arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{self.name}"
        resource, stream = {"ResourceARN": arn}, {"StreamARN": arn}
        mode = {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}
        calls = {
            "delete_resource_policy": resource,
            "get_resource_policy": resource,
            "list_tags_for_resource": resource,
            "put_resource_policy": {**resource, "Policy": "{}"},
            "tag_resource": {**resource, "Tags": {"a": "b"}},
            "untag_resource": {**resource, "TagKeys": ["a"]},
            "update_max_record_size": {**stream, "MaxRecordSizeInKiB": 1024},
            "update_stream_mode": {**stream, **mode},
            "update_stream_record_distribution_strategy": {
                **stream,
                "RecordDistributionStrategy": "AUTO",
            },
        }
        for operation, members in calls.items():
            with self.subTest(operation):
                text = self.fails("ResourceNotFoundException", operation, **members)
                self.assertEqual(text, f"Stream {self.name} under account {ACCOUNT} not found.")

    def test_a_name_is_given_once(self):
        self.stream()
        again = {"StreamName": self.name, "ShardCount": 1}
        text = self.fails("ResourceInUseException", "create_stream", **again)
        self.assertIn(f"Stream {self.name} under account {ACCOUNT} already exists.", text)

    def test_a_shard_that_is_not_there_has_no_iterator(self):
        self.stream()
        self.fails(
            "ResourceNotFoundException", "get_shard_iterator", StreamName=self.name,
            ShardId="shardId-000000000009", ShardIteratorType="LATEST",
        )

    def test_iterators_refuse_what_does_not_fit_their_kind(self):
        self.stream()
        number = "49590338271490256608559692538361571095921575989136588898"
        wrong = [
            {"ShardIteratorType": "AT_SEQUENCE_NUMBER"},
            {"ShardIteratorType": "AT_TIMESTAMP"},
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": number},
        ]
        for start in wrong:
            with self.subTest(start):
                self.fails(
                    "InvalidArgumentException", "get_shard_iterator", StreamName=self.name,
                    ShardId=SHARD, **start,
                )

    def test_an_iterator_that_was_tampered_with_is_refused(self):
        self.stream()
        iterator = self.kinesis.get_shard_iterator(
            StreamName=self.name, ShardId=SHARD, ShardIteratorType="LATEST"
        )["ShardIterator"]
        for at in (0, len(iterator) // 2, len(iterator) - 5):
            other = "A" if iterator[at] != "A" else "B"
            tampered = iterator[:at] + other + iterator[at + 1 :]
            self.fails("InvalidArgumentException", "get_records", ShardIterator=tampered)
        self.fails("InvalidArgumentException", "get_records", ShardIterator=iterator[:-4])
        self.fails("InvalidArgumentException", "get_records", ShardIterator="nonsense")

    def test_a_token_for_the_next_page_must_be_one_of_ours(self):
        self.fails("InvalidArgumentException", "list_shards", NextToken="nonsense")
        self.fails("InvalidArgumentException", "list_streams", NextToken="nonsense")

    def test_a_page_is_asked_for_by_name_or_by_token_and_not_by_both(self):
        self.stream(shards=2)
        token = self.kinesis.list_shards(StreamName=self.name, MaxResults=1)["NextToken"]
        self.fails("InvalidArgumentException", "list_shards", NextToken=token, StreamName=self.name)

    def test_a_hash_key_beyond_128_bits_is_refused(self):
        self.stream()
        self.fails(
            "InvalidArgumentException", "put_record", StreamName=self.name, Data=b"x",
            PartitionKey="a", ExplicitHashKey=str(2**128),
        )

    def test_a_record_larger_than_the_stream_takes_is_refused(self):
        self.stream()
        self.fails(
            "ValidationException", "put_record", StreamName=self.name,
            Data=bytes(1024 * 1024), PartitionKey="a",
        )

    def test_retention_outside_of_its_bounds_is_refused(self):
        self.stream()
        name = {"StreamName": self.name}
        up, down = "increase_stream_retention_period", "decrease_stream_retention_period"
        self.fails("InvalidArgumentException", up, **name, RetentionPeriodHours=8761)
        self.fails("InvalidArgumentException", up, **name, RetentionPeriodHours=23)
        self.fails("InvalidArgumentException", down, **name, RetentionPeriodHours=23)
        self.fails("InvalidArgumentException", down, **name, RetentionPeriodHours=25)

    def test_more_tags_than_a_stream_may_have_are_refused(self):
        self.stream()
        tags = {f"key-{number}": "x" for number in range(50)}
        self.kinesis.add_tags_to_stream(StreamName=self.name, Tags=tags)
        self.kinesis.add_tags_to_stream(StreamName=self.name, Tags={"key-1": "y"})
        with self.assertRaises(ClientError) as raised:
            self.kinesis.add_tags_to_stream(StreamName=self.name, Tags={"one-more": "x"})
        code = raised.exception.response["Error"]["Code"]
        self.assertIn(code, ("LimitExceededException", "InvalidArgumentException"))

    def test_what_only_an_on_demand_stream_has_is_refused_for_others(self):
        self.stream()
        arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{self.name}"
        self.fails(
            "InvalidArgumentException", "update_stream_record_distribution_strategy",
            StreamARN=arn, RecordDistributionStrategy="AUTO",
        )
        self.fails(
            "ValidationException", "update_stream_warm_throughput", StreamARN=arn,
            WarmThroughputMiBps=8,
        )

    def test_a_warm_throughput_needs_a_commitment(self):
        elsewhere = self.server.kinesis(region="mars-north-2")
        elsewhere.create_stream(
            StreamName=self.name, StreamModeDetails={"StreamMode": "ON_DEMAND"}
        )
        elsewhere.get_waiter("stream_exists").wait(
            StreamName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        self.fails(
            "ValidationException", "update_stream_warm_throughput", client=elsewhere,
            StreamName=self.name, WarmThroughputMiBps=8,
        )

    def test_a_mode_is_switched_twice_in_a_day(self):
        self.stream()
        arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{self.name}"
        on_demand, provisioned = {"StreamMode": "ON_DEMAND"}, {"StreamMode": "PROVISIONED"}
        for mode in (on_demand, provisioned):
            self.kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails=mode)
        self.fails(
            "LimitExceededException", "update_stream_mode", StreamARN=arn,
            StreamModeDetails=on_demand,
        )

    def test_more_shards_than_the_account_may_have_are_refused(self):
        vast = {"StreamName": self.name, "ShardCount": 10**6}
        self.fails("LimitExceededException", "create_stream", **vast)

    def test_an_account_and_a_region_see_only_their_own(self):
        self.stream()
        elsewhere = self.server.kinesis(region="mars-north-1")
        self.fails(
            "ResourceNotFoundException", "describe_stream", client=elsewhere, StreamName=self.name
        )
        arn = f"arn:aws:kinesis:{REGION}:111111111111:stream/{self.name}"
        with self.assertRaises(ClientError) as raised:
            self.kinesis.describe_stream_summary(StreamARN=arn)
        code = raised.exception.response["Error"]["Code"]
        self.assertIn(code, ("AccessDeniedException", "ResourceNotFoundException"))

    def test_an_operation_that_is_not_there_is_named_unknown(self):
        for service, operation in [
            ("kinesis", "NoSuchOperation"),
            ("kinesis", "PutRecordBatch"),
            ("firehose", "NoSuchOperation"),
            ("firehose", "PutRecords"),
            ("firehose", "StartStreamEncryption"),
        ]:
            with self.subTest(service, operation=operation):
                status, answer = self.server.raw(operation, {}, service)
                self.assertEqual(status, 400)
                self.assertEqual(answer, {"__type": "UnknownOperationException"})


class Rates(Calls):
    def test_limits_are_told_once_a_second(self):
        elsewhere = self.server.kinesis(region="mars-north-3")
        codes = set()
        for _ in range(20):
            try:
                elsewhere.describe_limits()
            except ClientError as error:
                codes.add(error.response["Error"]["Code"])
        self.assertEqual(codes, {"LimitExceededException"})

    def test_more_bytes_than_a_shard_takes_in_a_second_are_throttled(self):
        self.stream()
        record = {"Data": bytes(600_000), "PartitionKey": "a"}
        answer = self.kinesis.put_records(StreamName=self.name, Records=[record] * 4)
        self.assertTrue(0 < answer["FailedRecordCount"] < 4, answer)
        failed = [record for record in answer["Records"] if "ErrorCode" in record]
        self.assertEqual(len(failed), answer["FailedRecordCount"])
        for record in failed:
            self.assertEqual(record["ErrorCode"], "ProvisionedThroughputExceededException")
            place = f"shard {SHARD} in stream {self.name} under account {ACCOUNT}"
            self.assertEqual(record["ErrorMessage"], f"Rate exceeded for {place}.")

    def test_the_sixth_read_of_a_shard_within_a_second_is_throttled(self):
        self.stream()
        iterator = self.kinesis.get_shard_iterator(
            StreamName=self.name, ShardId=SHARD, ShardIteratorType="LATEST"
        )["ShardIterator"]
        codes = []
        for _ in range(20):
            try:
                self.kinesis.get_records(ShardIterator=iterator)
                codes.append("")
            except ClientError as error:
                codes.append(error.response["Error"]["Code"])
        self.assertEqual(codes[:5], [""] * 5)
        self.assertIn("ProvisionedThroughputExceededException", codes)


if __name__ == "__main__":
    unittest.main()
