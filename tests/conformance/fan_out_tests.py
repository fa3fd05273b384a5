"""Enhanced fan-out as boto3 takes it: its own reader of event streams, over HTTP/1.1."""

import unittest

from botocore.exceptions import ClientError

from server import Server

SHARD = "shardId-000000000000"
HALF = str(2**127)


class FanOut(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)
        cls.client = cls.server.kinesis()

    def prepare(self, name):
        self.client.create_stream(StreamName=name, ShardCount=1)
        waiter = self.client.get_waiter("stream_exists")
        waiter.wait(StreamName=name, WaiterConfig={"Delay": 1})
        summary = self.client.describe_stream_summary(StreamName=name)
        stream = summary["StreamDescriptionSummary"]["StreamARN"]
        answer = self.client.register_stream_consumer(StreamARN=stream, ConsumerName="app")
        return stream, answer["Consumer"]["ConsumerARN"]

    def subscribe(self, consumer, position):
        return self.client.subscribe_to_shard(
            ConsumerARN=consumer, ShardId=SHARD, StartingPosition=position
        )["EventStream"]

    def test_records_are_pushed_to_the_end_of_a_shard(self):
        _, consumer = self.prepare("pushed")
        for number in range(3):
            self.put("pushed", number)
        events = self.subscribe(consumer, {"Type": "TRIM_HORIZON"})
        self.put("pushed", 3)
        self.client.split_shard(
            StreamName="pushed", ShardToSplit=SHARD, NewStartingHashKey=HALF
        )
        data, last = [], None
        for event in events:
            last = event["SubscribeToShardEvent"]
            data += [record["Data"] for record in last["Records"]]
        self.assertEqual(data, [b"%d" % number for number in range(4)])
        children = [child["ShardId"] for child in last["ChildShards"]]
        self.assertEqual(children, ["shardId-000000000001", "shardId-000000000002"])
        self.assertNotIn("ContinuationSequenceNumber", last)

    def put(self, stream, number):
        self.client.put_record(StreamName=stream, Data=b"%d" % number, PartitionKey="a")

    def test_a_second_subscription_is_refused_at_once(self):
        _, consumer = self.prepare("taken")
        events = self.subscribe(consumer, {"Type": "LATEST"})
        with self.assertRaises(ClientError) as refused:
            self.subscribe(consumer, {"Type": "LATEST"})
        self.assertEqual(refused.exception.response["Error"]["Code"], "ResourceInUseException")
        events.close()

    def test_a_subscription_ends_with_an_error_that_is_boto3s_own(self):
        stream, consumer = self.prepare("ended")
        events = self.subscribe(consumer, {"Type": "LATEST"})
        self.client.deregister_stream_consumer(StreamARN=stream, ConsumerName="app")
        with self.assertRaises(ClientError) as ended:
            list(events)
        self.assertEqual(ended.exception.response["Error"]["Code"], "ResourceNotFoundException")
        self.assertIn(consumer, str(ended.exception))


if __name__ == "__main__":
    unittest.main()
