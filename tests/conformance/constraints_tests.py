"""Every constraint of the public service model of Data Streams, operation by operation: what
breaks one is refused with AWS's text for it, what is just within is not, and a wrong JSON type is
refused with SerializationException."""

import base64
import unittest

from constraint_checks import ConstraintChecks, add_tests
from model_cases import Service
from server import ACCOUNT, REGION, Server

# The streams named here do not exist.
NAME = {"StreamName": "no-such-stream"}
ARN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/no-such-stream"
DATA = base64.b64encode(b"data").decode()
KINESIS = Service(
    "kinesis",
    valid={
        "AddTagsToStream": {**NAME, "Tags": {"key": "value"}},
        "CreateStream": {"StreamName": "new", "ShardCount": 1},
        "DecreaseStreamRetentionPeriod": {**NAME, "RetentionPeriodHours": 24},
        "DeleteResourcePolicy": {"ResourceARN": ARN},
        "DeleteStream": NAME,
        "DescribeAccountSettings": {},
        "DescribeLimits": {},
        "DescribeStream": NAME,
        "DescribeStreamSummary": NAME,
        "DisableEnhancedMonitoring": {**NAME, "ShardLevelMetrics": ["IncomingBytes"]},
        "EnableEnhancedMonitoring": {**NAME, "ShardLevelMetrics": ["IncomingBytes"]},
        "GetRecords": {"ShardIterator": "iterator"},
        "GetResourcePolicy": {"ResourceARN": ARN},
        "GetShardIterator": {
            **NAME,
            "ShardId": "shardId-000000000000",
            "ShardIteratorType": "LATEST",
        },
        "IncreaseStreamRetentionPeriod": {**NAME, "RetentionPeriodHours": 48},
        "ListShards": {**NAME, "ShardFilter": {"Type": "AT_LATEST"}},
        "ListStreams": {},
        "ListTagsForResource": {"ResourceARN": ARN},
        "ListTagsForStream": NAME,
        "MergeShards": {**NAME, "ShardToMerge": "a", "AdjacentShardToMerge": "b"},
        "PutRecord": {**NAME, "Data": DATA, "PartitionKey": "key"},
        "PutRecords": {**NAME, "Records": [{"Data": DATA, "PartitionKey": "key"}]},
        "PutResourcePolicy": {"ResourceARN": ARN, "Policy": "{}"},
        "RemoveTagsFromStream": {**NAME, "TagKeys": ["key"]},
        "SplitShard": {**NAME, "ShardToSplit": "a", "NewStartingHashKey": "5"},
        "StartStreamEncryption": {**NAME, "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
        "StopStreamEncryption": {**NAME, "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
        "TagResource": {"ResourceARN": ARN, "Tags": {"key": "value"}},
        "UntagResource": {"ResourceARN": ARN, "TagKeys": ["key"]},
        "UpdateAccountSettings": {"MinimumThroughputBillingCommitment": {"Status": "DISABLED"}},
        "UpdateMaxRecordSize": {"StreamARN": ARN, "MaxRecordSizeInKiB": 1024},
        "UpdateShardCount": {
            **NAME,
            "TargetShardCount": 2,
            "ScalingType": "UNIFORM_SCALING",
        },
        "UpdateStreamMode": {
            "StreamARN": ARN,
            "StreamModeDetails": {"StreamMode": "PROVISIONED"},
        },
        "UpdateStreamRecordDistributionStrategy": {
            "StreamARN": ARN,
            "RecordDistributionStrategy": "AUTO",
        },
        "UpdateStreamWarmThroughput": {**NAME, "WarmThroughputMiBps": 1},
    },
    texts={"StreamARN": ARN, "ResourceARN": ARN},
)


class Constraints(ConstraintChecks, unittest.TestCase):
    """Filled from the model below."""

    service = KINESIS

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--no-throttle")
        cls.addClassCleanup(cls.server.stop)

    def test_several_violations_are_told_together(self):
        body = {"StreamName": "", "ShardId": "a b", "ShardIteratorType": "X"}
        message = self.refused("GetShardIterator", body, "ValidationException")
        self.assertTrue(message.startswith("4 validation errors detected: Value '"), message)
        self.assertEqual(message.count("failed to satisfy constraint: "), 4)

    def test_null_is_as_good_as_absent(self):
        body = {**KINESIS.valid["PutRecord"], "Data": None, "ExplicitHashKey": None}
        message = self.refused("PutRecord", body, "ValidationException")
        wanted = "Value null at 'data' failed to satisfy constraint: Member must not be null"
        self.assertEqual(message, f"1 validation error detected: {wanted}")

    def test_members_that_the_model_does_not_know_are_passed_over(self):
        status, answer = self.answer("ListStreams", {"NoSuchMember": {"a": [1]}})
        self.assertEqual(status, 200, answer)


add_tests(Constraints)

if __name__ == "__main__":
    unittest.main()
