"""boto3 from the creation of a stream to its end. botocore validates every input that it sends
and parses every answer with the service model."""

import hashlib
import unittest
from datetime import datetime, timedelta, timezone

from server import ACCOUNT, REGION, Server
from valid_answers import ValidAnswers

HASH_KEYS = 2**128


class Walk(ValidAnswers, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--no-throttle")
        cls.addClassCleanup(cls.server.stop)
        cls.kinesis = cls.server.kinesis()

    def stream(self, shards=1):
        """A stream of this test's own, ACTIVE."""
        name = self.id().split(".")[-1][:128]
        self.kinesis.create_stream(StreamName=name, ShardCount=shards)
        self.until_active(name)
        return name

    def until_active(self, name):
        self.kinesis.get_waiter("stream_exists").wait(
            StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )

    def shards(self, name):
        return self.kinesis.list_shards(StreamName=name)["Shards"]

    def read(self, name, shard="shardId-000000000000", **start):
        start = start or {"ShardIteratorType": "TRIM_HORIZON"}
        iterator = self.kinesis.get_shard_iterator(StreamName=name, ShardId=shard, **start)
        return self.kinesis.get_records(ShardIterator=iterator["ShardIterator"])

    def data(self, *arguments, **start):
        return [record["Data"] for record in self.read(*arguments, **start)["Records"]]

    def test_a_new_stream_is_described_in_all_its_parts(self):
        name = self.stream(shards=3)
        answer = self.kinesis.describe_stream(StreamName=name)
        self.assert_valid("DescribeStream", answer)
        stream = answer["StreamDescription"]
        arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"
        self.assertEqual(stream["StreamARN"], arn)
        self.assertEqual(stream["StreamStatus"], "ACTIVE")
        self.assertEqual(stream["RetentionPeriodHours"], 24)
        self.assertEqual(stream["EncryptionType"], "NONE")
        self.assertFalse(stream["HasMoreShards"])
        now = datetime.now(timezone.utc)
        self.assertLess(abs(now - stream["StreamCreationTimestamp"]), timedelta(minutes=1))
        ranges = [shard["HashKeyRange"] for shard in stream["Shards"]]
        starts = [int(part["StartingHashKey"]) for part in ranges]
        ends = [int(part["EndingHashKey"]) for part in ranges]
        self.assertEqual(starts, [0] + [end + 1 for end in ends[:-1]])
        self.assertEqual(ends[-1], HASH_KEYS - 1)
        for shard in stream["Shards"]:
            self.assertNotIn("EndingSequenceNumber", shard["SequenceNumberRange"])
            self.assertNotIn("ParentShardId", shard)

        summary = self.kinesis.describe_stream_summary(StreamARN=arn)
        self.assert_valid("DescribeStreamSummary", summary)
        self.assertEqual(summary["StreamDescriptionSummary"]["OpenShardCount"], 3)
        self.assertEqual(summary["StreamDescriptionSummary"]["StreamName"], name)

    def test_a_stream_is_encrypted_and_its_records_say_so(self):
        name = self.stream()
        key = {"StreamName": name, "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
        self.kinesis.put_record(StreamName=name, Data=b"before", PartitionKey="a")
        self.kinesis.start_stream_encryption(**key)
        self.until_active(name)
        for operation, call in [
            ("DescribeStream", self.kinesis.describe_stream),
            ("DescribeStreamSummary", self.kinesis.describe_stream_summary),
        ]:
            answer = call(StreamName=name)
            self.assert_valid(operation, answer)
            [described] = [part for part in answer.values() if "StreamName" in part]
            self.assertEqual(described["EncryptionType"], "KMS")
            self.assertEqual(described["KeyId"], "alias/aws/kinesis")
        put = self.kinesis.put_record(StreamName=name, Data=b"sealed", PartitionKey="a")
        self.assert_valid("PutRecord", put)
        self.assertEqual(put["EncryptionType"], "KMS")
        many = [{"Data": b"sealed too", "PartitionKey": "a"}]
        put = self.kinesis.put_records(StreamName=name, Records=many)
        self.assert_valid("PutRecords", put)
        self.assertEqual(put["EncryptionType"], "KMS")
        self.kinesis.stop_stream_encryption(**key)
        self.until_active(name)
        put = self.kinesis.put_record(StreamName=name, Data=b"after", PartitionKey="a")
        self.assertNotIn("EncryptionType", put)
        answer = self.read(name)
        self.assert_valid("GetRecords", answer)
        told = [(record["Data"], record.get("EncryptionType")) for record in answer["Records"]]
        sealed = [(b"sealed", "KMS"), (b"sealed too", "KMS")]
        self.assertEqual(told, [(b"before", None), *sealed, (b"after", None)])
        with self.assertRaises(self.kinesis.exceptions.KMSNotFoundException):
            self.kinesis.start_stream_encryption(**{**key, "KeyId": "alias/no-such"})

    def test_a_record_comes_back_as_it_was_put(self):
        name = self.stream(shards=2)
        data = bytes(range(256)) * 4
        put = self.kinesis.put_record(StreamName=name, Data=data, PartitionKey="ключ")
        self.assert_valid("PutRecord", put)
        answer = self.read(name, put["ShardId"])
        self.assert_valid("GetRecords", answer)
        [record] = answer["Records"]
        self.assertEqual(record["Data"], data)
        self.assertEqual(record["PartitionKey"], "ключ")
        self.assertEqual(record["SequenceNumber"], put["SequenceNumber"])
        arrival = record["ApproximateArrivalTimestamp"]
        self.assertLess(abs(datetime.now(timezone.utc) - arrival), timedelta(minutes=1))
        self.assertEqual(answer["MillisBehindLatest"], 0)

    def test_a_partition_key_goes_to_the_shard_of_its_md5(self):
        name = self.stream(shards=4)
        shards = self.shards(name)
        for number in range(40):
            key = f"key-{number}"
            put = self.kinesis.put_record(StreamName=name, Data=b"x", PartitionKey=key)
            hash_key = int(hashlib.md5(key.encode()).hexdigest(), 16)
            self.assertEqual(put["ShardId"], self.shard_of(shards, hash_key))
        for hash_key in [0, HASH_KEYS // 2, HASH_KEYS - 1]:
            put = self.kinesis.put_record(
                StreamName=name, Data=b"x", PartitionKey="a", ExplicitHashKey=str(hash_key)
            )
            self.assertEqual(put["ShardId"], self.shard_of(shards, hash_key))

    def shard_of(self, shards, hash_key):
        for shard in shards:
            ends = shard["HashKeyRange"]
            if int(ends["StartingHashKey"]) <= hash_key <= int(ends["EndingHashKey"]):
                return shard["ShardId"]
        return None

    def test_put_records_answers_each_record_in_its_place(self):
        name = self.stream(shards=2)
        records = [{"Data": b"%d" % n, "PartitionKey": f"key-{n}"} for n in range(500)]
        answer = self.kinesis.put_records(StreamName=name, Records=records)
        self.assert_valid("PutRecords", answer)
        self.assertEqual(answer["FailedRecordCount"], 0)
        places = {}
        for record, placed in zip(records, answer["Records"]):
            self.assertNotIn("ErrorCode", placed)
            places.setdefault(placed["ShardId"], []).append((placed["SequenceNumber"], record))
        self.assertEqual(sum(map(len, places.values())), 500)
        for shard, placed in places.items():
            got = self.read(name, shard)["Records"]
            self.assertEqual([r["Data"] for r in got], [r["Data"] for _, r in placed])
            self.assertEqual([r["SequenceNumber"] for r in got], [number for number, _ in placed])
            numbers = [int(record["SequenceNumber"]) for record in got]
            self.assertEqual(numbers, sorted(set(numbers)))

    def test_all_five_kinds_of_iterator_start_where_they_say(self):
        name = self.stream()
        put = [
            self.kinesis.put_record(StreamName=name, Data=data, PartitionKey="a")
            for data in (b"one", b"two", b"three")
        ]
        second = put[1]["SequenceNumber"]
        self.assertEqual(self.data(name), [b"one", b"two", b"three"])
        at = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": second}
        self.assertEqual(self.data(name, **at), [b"two", b"three"])
        after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": second}
        self.assertEqual(self.data(name, **after), [b"three"])
        first = self.read(name)["Records"][0]["ApproximateArrivalTimestamp"]
        time = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": first - timedelta(hours=1)}
        self.assertEqual(self.data(name, **time), [b"one", b"two", b"three"])
        time["Timestamp"] = first
        self.assertEqual(self.data(name, **time), [b"one", b"two", b"three"])

        latest = self.kinesis.get_shard_iterator(
            StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="LATEST"
        )
        self.kinesis.put_record(StreamName=name, Data=b"four", PartitionKey="a")
        answer = self.kinesis.get_records(ShardIterator=latest["ShardIterator"])
        self.assertEqual([record["Data"] for record in answer["Records"]], [b"four"])

    def test_reading_goes_on_with_the_next_iterator_without_gap_or_repeat(self):
        name = self.stream()
        records = [{"Data": b"%d" % n, "PartitionKey": "a"} for n in range(250)]
        self.kinesis.put_records(StreamName=name, Records=records)
        iterator = self.kinesis.get_shard_iterator(
            StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        got = []
        while len(got) < 250:
            answer = self.kinesis.get_records(ShardIterator=iterator, Limit=33)
            self.assertTrue(0 < len(answer["Records"]) <= 33)
            got += [record["Data"] for record in answer["Records"]]
            iterator = answer["NextShardIterator"]
        self.assertEqual(got, [record["Data"] for record in records])
        answer = self.kinesis.get_records(ShardIterator=iterator)
        self.assertEqual(answer["Records"], [])
        self.assertIn("NextShardIterator", answer)

    def test_streams_and_shards_are_listed_page_by_page(self):
        name = self.stream(shards=5)
        others = [f"{name[:100]}-{number}" for number in range(4)]
        for other in others:
            self.kinesis.create_stream(StreamName=other, ShardCount=1)
        answer = self.kinesis.list_streams(Limit=2)
        self.assert_valid("ListStreams", answer)
        self.assertTrue(answer["HasMoreStreams"])
        paginator = self.kinesis.get_paginator("list_streams")
        pages = paginator.paginate(PaginationConfig={"PageSize": 2})
        listed = [stream for page in pages for stream in page["StreamNames"]]
        self.assertEqual(listed, sorted(set(listed)))
        self.assertLessEqual({name, *others}, set(listed))

        page = self.kinesis.list_shards(StreamName=name, MaxResults=2)
        self.assert_valid("ListShards", page)
        ids = [shard["ShardId"] for shard in page["Shards"]]
        while "NextToken" in page:
            page = self.kinesis.list_shards(NextToken=page["NextToken"], MaxResults=2)
            ids += [shard["ShardId"] for shard in page["Shards"]]
        self.assertEqual(ids, [f"shardId-{number:012}" for number in range(5)])
        pages = self.kinesis.get_paginator("describe_stream").paginate(
            StreamName=name, PaginationConfig={"PageSize": 2}
        )
        pages = [page["StreamDescription"]["Shards"] for page in pages]
        self.assertEqual([len(page) for page in pages], [2, 2, 1])

    def test_tags_are_added_listed_replaced_and_removed(self):
        name = self.stream()
        self.kinesis.add_tags_to_stream(StreamName=name, Tags={"a": "1", "b": "2", "c": ""})
        self.kinesis.add_tags_to_stream(StreamName=name, Tags={"a": "3"})
        answer = self.kinesis.list_tags_for_stream(StreamName=name)
        self.assert_valid("ListTagsForStream", answer)
        tags = {tag["Key"]: tag["Value"] for tag in answer["Tags"]}
        self.assertEqual(tags, {"a": "3", "b": "2", "c": ""})
        page = self.kinesis.list_tags_for_stream(StreamName=name, Limit=1)
        self.assertTrue(page["HasMoreTags"])
        self.kinesis.remove_tags_from_stream(StreamName=name, TagKeys=["a", "c"])
        answer = self.kinesis.list_tags_for_stream(StreamName=name)
        self.assertEqual(answer["Tags"], [{"Key": "b", "Value": "2"}])
        self.assertFalse(answer["HasMoreTags"])

    def test_resources_are_tagged_by_arn(self):
        name = self.stream()
        arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"
        self.kinesis.tag_resource(ResourceARN=arn, Tags={"a": "1", "b": ""})
        answer = self.kinesis.list_tags_for_resource(ResourceARN=arn)
        self.assert_valid("ListTagsForResource", answer)
        self.assertEqual(answer["Tags"], [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
        self.kinesis.untag_resource(ResourceARN=arn, TagKeys=["a"])
        answer = self.kinesis.list_tags_for_resource(ResourceARN=arn)
        self.assertEqual(answer["Tags"], [{"Key": "b", "Value": ""}])

    def test_records_grow_to_10_mib(self):
        name = self.stream()
        arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"
        self.kinesis.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=10240)
        data = bytes(10 * 1024 * 1024 - 1)
        self.kinesis.put_record(StreamName=name, Data=data, PartitionKey="a")
        self.assertEqual(self.data(name), [data])

    def test_shard_level_metrics_are_enabled_and_disabled(self):
        name = self.stream()
        some = ["IncomingBytes", "IteratorAgeMilliseconds"]
        answer = self.kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["ALL"])
        self.assert_valid("EnableEnhancedMonitoring", answer)
        self.assertEqual(answer["CurrentShardLevelMetrics"], [])
        self.assertEqual(len(answer["DesiredShardLevelMetrics"]), 7)
        answer = self.kinesis.disable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=some)
        self.assert_valid("DisableEnhancedMonitoring", answer)
        left = set(answer["CurrentShardLevelMetrics"]) - set(some)
        self.assertEqual(set(answer["DesiredShardLevelMetrics"]), left)
        summary = self.kinesis.describe_stream_summary(StreamName=name)
        [shown] = summary["StreamDescriptionSummary"]["EnhancedMonitoring"]
        self.assertEqual(set(shown["ShardLevelMetrics"]), left)

    def test_an_account_settles_and_its_on_demand_streams_have_what_others_have_not(self):
        name = self.id().split(".")[-1][:128]
        answer = self.kinesis.update_account_settings(
            MinimumThroughputBillingCommitment={"Status": "ENABLED"}
        )
        self.assert_valid("UpdateAccountSettings", answer)
        described = self.kinesis.describe_account_settings()
        self.assert_valid("DescribeAccountSettings", described)
        commitment = "MinimumThroughputBillingCommitment"
        self.assertEqual(described[commitment], answer[commitment])
        self.kinesis.create_stream(
            StreamName=name,
            StreamModeDetails={"StreamMode": "ON_DEMAND"},
            WarmThroughputMiBps=6,
            RecordDistributionStrategy="AUTO",
        )
        self.kinesis.get_waiter("stream_exists").wait(
            StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        summary = self.kinesis.describe_stream_summary(StreamName=name)
        self.assert_valid("DescribeStreamSummary", summary)
        summary = summary["StreamDescriptionSummary"]
        self.assertEqual(summary["WarmThroughput"], {"TargetMiBps": 6, "CurrentMiBps": 6})
        self.assertEqual(summary["RecordDistributionStrategy"], "AUTO")
        records = [{"Data": b"%d" % n} for n in range(60)]
        answer = self.kinesis.put_records(StreamName=name, Records=records)
        self.assert_valid("PutRecords", answer)
        shards = [record["ShardId"] for record in answer["Records"]]
        self.assertEqual({shards.count(shard) for shard in shards}, {10})
        read = self.read(name)
        self.assert_valid("GetRecords", read)
        self.assertEqual(len(read["Records"]), 10)
        answer = self.kinesis.update_stream_warm_throughput(StreamName=name, WarmThroughputMiBps=5)
        self.assert_valid("UpdateStreamWarmThroughput", answer)
        arn = summary["StreamARN"]
        self.kinesis.update_stream_record_distribution_strategy(
            StreamARN=arn, RecordDistributionStrategy="USER_PARTITION_KEY"
        )
        self.kinesis.update_stream_mode(
            StreamARN=arn, StreamModeDetails={"StreamMode": "PROVISIONED"}
        )
        limits = self.kinesis.describe_limits()
        self.assert_valid("DescribeLimits", limits)
        self.assertGreaterEqual(limits["OpenShardCount"], 6)

    def test_retention_goes_up_and_down_again(self):
        name = self.stream()
        for change, hours in [("increase", 8760), ("increase", 8760), ("decrease", 24)]:
            call = getattr(self.kinesis, f"{change}_stream_retention_period")
            call(StreamName=name, RetentionPeriodHours=hours)
            summary = self.kinesis.describe_stream_summary(StreamName=name)
            kept = summary["StreamDescriptionSummary"]["RetentionPeriodHours"]
            self.assertEqual(kept, hours)

    def active(self, name):
        self.kinesis.get_waiter("stream_exists").wait(
            StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )

    def test_shards_are_split_merged_and_scaled(self):
        name = self.stream()
        self.kinesis.put_record(StreamName=name, Data=b"before", PartitionKey="a")
        [shard] = self.shards(name)
        half = str(HASH_KEYS // 2)
        self.kinesis.split_shard(
            StreamName=name, ShardToSplit=shard["ShardId"], NewStartingHashKey=half
        )
        self.active(name)
        low, high = self.shards(name)[1:]
        self.assertEqual(low["ParentShardId"], shard["ShardId"])
        self.assertEqual(high["HashKeyRange"]["StartingHashKey"], half)
        answer = self.read(name)
        self.assert_valid("GetRecords", answer)
        self.assertEqual([record["Data"] for record in answer["Records"]], [b"before"])
        self.assertNotIn("NextShardIterator", answer)
        children = [child["ShardId"] for child in answer["ChildShards"]]
        self.assertEqual(children, [low["ShardId"], high["ShardId"]])
        self.kinesis.merge_shards(
            StreamName=name,
            ShardToMerge=low["ShardId"],
            AdjacentShardToMerge=high["ShardId"],
        )
        self.active(name)
        merged = self.shards(name)[-1]
        self.assertEqual(merged["AdjacentParentShardId"], high["ShardId"])
        answer = self.kinesis.update_shard_count(
            StreamName=name, TargetShardCount=2, ScalingType="UNIFORM_SCALING"
        )
        self.assert_valid("UpdateShardCount", answer)
        self.assertEqual(answer["CurrentShardCount"], 1)
        self.active(name)
        latest = self.kinesis.list_shards(StreamName=name, ShardFilter={"Type": "AT_LATEST"})
        self.assertEqual(len(latest["Shards"]), 2)
        self.assertEqual(len(self.shards(name)), 6)

    def test_a_deleted_stream_is_gone_and_its_name_is_free_and_empty(self):
        name = self.stream()
        self.kinesis.put_record(StreamName=name, Data=b"old", PartitionKey="a")
        self.kinesis.delete_stream(StreamName=name)
        self.kinesis.get_waiter("stream_not_exists").wait(
            StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        self.stream()
        self.assertEqual(self.data(name), [])

    def test_every_answer_carries_a_request_id_of_its_own(self):
        answers = [self.kinesis.list_streams()["ResponseMetadata"] for _ in range(2)]
        ids = [answer["HTTPHeaders"]["x-amzn-requestid"] for answer in answers]
        self.assertEqual(len(set(ids)), 2)
        self.assertIn("x-amz-id-2", answers[0]["HTTPHeaders"])
        self.assertIn("date", answers[0]["HTTPHeaders"])

    def test_a_server_that_is_told_to_end_ends_well(self):
        server = Server()
        self.addCleanup(server.stop)
        server.kinesis().create_stream(StreamName="kept", ShardCount=1)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
