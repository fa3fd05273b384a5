"""millrace delivers to a real S3 server that verifies signatures and honours create-only puts, and
boto3 reads the objects back: every record is in one of them, once and in order, also when millrace
was not let in, had no bucket, or was killed in the middle of a put."""

import base64
import json
import tempfile
import unittest
from pathlib import Path

import s3_server
from botocore.exceptions import ClientError
from deliveries import (
    WAIT_SECONDS_MAX, Deliveries, PluginsDirectory, extended_s3, lambda_processor, unpacked,
    wait_until,
)
from doubles import BEFORE_THE_ANSWER, HALF_THE_BODY
from relays import HttpRelay
from s3_server import S3Server
from server import Server

PARSE = "parse-access-log"
# Every so many lines is one that does not parse.
BROKEN_EVERY = 7
LINE = '192.0.2.7 - - [10/Oct/2026:13:55:36 +0000] "GET /{} HTTP/1.1" 200 1 "-" "curl/8"'
AT_ONCE = {"SizeInMBs": 1, "IntervalInSeconds": 0}


def is_broken(number):
    return number % BROKEN_EVERY == 0


def line(number):
    return (f"no line of a log: {number}" if is_broken(number) else LINE.format(number)).encode()


class S3Deliveries(Deliveries):
    """Mixed into a test: an S3 server of each test's own, and a millrace that delivers there."""

    # s3s-fs keeps notes on an object in a file whose name is made of bucket and key: they must be
    # short to fit.
    name, bucket = "lines", "logs"

    @classmethod
    def setUpClass(cls):
        cls.plugins = PluginsDirectory(PARSE)
        cls.addClassCleanup(cls.plugins.directory.cleanup)

    def setUp(self):
        self.store = S3Server()
        self.addCleanup(self.store.close)
        self.s3 = self.store.client()
        directory = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        # The numbers of the lines that were put, by their shard, in order.
        self.lanes = {}
        self.lines_put = 0

    def start(self, address=None, secret=s3_server.SECRET):
        """millrace on the data that this test's earlier ones left."""
        configuration = self.directory / "millrace.toml"
        address = address or self.store.address
        configuration.write_text(s3_server.configuration(address, secret))
        self.server = Server(
            "--no-throttle",
            *("--plugins", str(self.plugins.path)),
            *("--config", str(configuration)),
            *("--data", str(self.directory / "data")),
        )
        self.addCleanup(self.server.stop)
        self.firehose, self.kinesis = self.server.firehose(), self.server.kinesis()

    def make_bucket(self):
        self.store.make_bucket(self.bucket)

    def destination(self, **members):
        prefixes = {"Prefix": "log/", "ErrorOutputPrefix": "failed/"}
        return extended_s3(self.bucket, lambda_processor(PARSE), **prefixes, **members)

    def put_lines(self, count=200):
        """Puts lines to the delivery stream directly, all acknowledged."""
        numbers = self.next_numbers(count)
        self.put(*map(line, numbers))
        self.lanes.setdefault(None, []).extend(numbers)

    def put_lines_to_stream(self, count=200):
        """Puts lines to the stream, all acknowledged."""
        numbers = self.next_numbers(count)
        records = [{"Data": line(number), "PartitionKey": str(number)} for number in numbers]
        answer = self.kinesis.put_records(StreamName=self.name, Records=records)
        self.assertEqual(answer["FailedRecordCount"], 0)
        for number, placed in zip(numbers, answer["Records"]):
            self.lanes.setdefault(placed["ShardId"], []).append(number)

    def next_numbers(self, count):
        self.lines_put += count
        return range(self.lines_put - count, self.lines_put)

    def objects(self, prefix=""):
        """(key, content) of the bucket's objects below `prefix`, in order of their keys."""
        found = list(self.store.objects(self.bucket, prefix))
        self.assertEqual(found, sorted(found))
        return found

    def assert_all_delivered_once(self):
        """Every line that was put is in one object, where it belongs, in the order of its lane."""
        objects = self.objects()
        delivered, failed = [], []
        for key, content in objects:
            rows = [json.loads(row) for row in unpacked(content)]
            if key.startswith("log/"):
                delivered += [int(row["path"].removeprefix("/")) for row in rows]
            else:
                self.assertTrue(key.startswith("failed/processing-failed/"), key)
                data = [base64.b64decode(row["rawData"]) for row in rows]
                failed += [int(text.removeprefix(b"no line of a log: ")) for text in data]
        self.assertEqual(sorted(delivered + failed), list(range(self.lines_put)))
        self.assertEqual([number for number in delivered if is_broken(number)], [])
        self.assertEqual([number for number in failed if not is_broken(number)], [])
        for shard, numbers in self.lanes.items():
            lane = set(numbers)
            for found, broken in [(delivered, False), (failed, True)]:
                wanted = [number for number in numbers if is_broken(number) == broken]
                self.assertEqual([number for number in found if number in lane], wanted, shard)
        page = self.status()
        self.assertEqual((page["delivered"], page["failed"]), (len(delivered), len(failed)))
        self.assertEqual(page["objects"] + page["failedObjects"], len(objects))
        self.assertEqual(page["waitingRecords"], 0)
        self.assertIsNone(page["trouble"])


class Delivered(S3Deliveries, unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.start()
        self.make_bucket()

    def deliver(self, put, is_packed):
        for _ in range(3):
            put()
            self.flush()
        self.assert_all_delivered_once()
        packed = {content.startswith(b"\x1f\x8b") for _, content in self.objects("log/")}
        self.assertEqual(packed, {is_packed})

    def create_stream(self, destination):
        self.create_reading(self.stream(shards=2), destination)

    def test_lines_that_are_put_directly_arrive_once_and_in_order(self):
        self.create(self.destination())
        self.deliver(self.put_lines, is_packed=False)

    def test_lines_that_are_put_directly_arrive_packed_once_and_in_order(self):
        self.create(self.destination(CompressionFormat="GZIP"))
        self.deliver(self.put_lines, is_packed=True)

    def test_lines_of_a_stream_arrive_once_and_in_the_order_of_their_shards(self):
        self.create_stream(self.destination())
        self.deliver(self.put_lines_to_stream, is_packed=False)

    def test_lines_of_a_stream_arrive_packed_once_and_in_the_order_of_their_shards(self):
        self.create_stream(self.destination(CompressionFormat="GZIP"))
        self.deliver(self.put_lines_to_stream, is_packed=True)

    def test_data_without_a_transform_arrives_as_it_was_put(self):
        self.create(extended_s3(self.bucket, Prefix="all bytes/é~&/"))
        data = [bytes(range(256)), b"", b"\n", bytes(1_024_000)]
        self.put(*data)
        self.flush()
        [(key, content)] = self.objects()
        self.assertTrue(key.startswith("all bytes/é~&/"), key)
        self.assertEqual(content, b"".join(data))

    def test_an_object_that_was_delivered_cannot_be_made_again(self):
        self.create(self.destination())
        self.put_lines()
        self.flush()
        delivered = self.objects()
        for key, _ in delivered:
            with self.assertRaises(ClientError) as raised:
                self.s3.put_object(Bucket=self.bucket, Key=key, Body=b"other", IfNoneMatch="*")
            answer = raised.exception.response
            self.assertEqual(answer["Error"]["Code"], "PreconditionFailed")
            self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 412)
        self.assertEqual(self.objects(), delivered)
        self.s3.put_object(Bucket=self.bucket, Key="new", Body=b"other", IfNoneMatch="*")
        self.assertEqual(self.objects("new"), [("new", b"other")])


class Trouble(S3Deliveries, unittest.TestCase):
    def put_until_told(self, *parts):
        """Puts lines that cannot be delivered, before and after the page says why."""
        self.put_lines()

        def is_told():
            trouble = self.status()["trouble"]
            return trouble and all(part in trouble for part in parts)

        wait_until(is_told, f"the page says {parts}")
        self.put_lines()
        page = self.status()
        self.assertEqual((page["delivered"], page["failed"]), (0, 0))
        self.assertGreater(page["waitingRecords"], 0)

    def test_a_wrong_secret_is_told_and_everything_arrives_once_the_right_one_is_configured(self):
        with self.assertRaises(ClientError) as raised:
            self.store.client("another secret").create_bucket(Bucket=self.bucket)
        code = raised.exception.response["Error"]["Code"]
        self.assertEqual(code, "SignatureDoesNotMatch")
        self.make_bucket()
        self.start(secret="another secret")
        self.create(self.destination(BufferingHints=AT_ONCE))
        self.put_until_told("403", "SignatureDoesNotMatch")
        self.assertEqual(self.server.stop(), 0)
        self.assertEqual(self.objects(), [])
        self.start()
        self.flush()
        self.assert_all_delivered_once()

    def test_a_missing_bucket_is_told_and_gets_everything_once_it_is_made(self):
        self.start()
        self.create(self.destination(BufferingHints=AT_ONCE))
        self.put_until_told("404", "NoSuchBucket", self.bucket)
        self.make_bucket()
        wait_until(lambda: self.status()["waitingRecords"] == 0, "the lines go by themselves")
        self.assert_all_delivered_once()


class Killed(S3Deliveries, unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.make_bucket()
        self.relay = HttpRelay(self.store.address)
        self.addCleanup(self.relay.stop)

    def kill_in_the_middle(self, put, where, puts_before=0):
        """Kills millrace while its put is on the way."""
        self.relay.hold(where, puts_before)
        put()
        self.assertTrue(self.relay.held.wait(WAIT_SECONDS_MAX), where)
        self.server.kill()

    def kill_again_and_again(self, put):
        """Kills millrace during puts of objects of lines and of failed lines: when all before is
        delivered, and then when something may be left of the time before. An object that was seen
        once stays as it is."""
        seen = {}
        for is_flushed in (True, False):
            for where in (HALF_THE_BODY, BEFORE_THE_ANSWER):
                for puts_before in (0, 1):
                    self.kill_in_the_middle(put, where, puts_before)
                    found = dict(self.objects())
                    self.assertLessEqual(seen.items(), found.items())
                    self.start(self.relay.address)
                    if is_flushed:
                        made = puts_before + (where == BEFORE_THE_ANSWER)
                        self.assertLessEqual(len(seen) + made, len(found))
                        self.flush()
                    seen = dict(self.objects())
        put()
        self.flush()
        self.assertLessEqual(seen.items(), dict(self.objects()).items())
        self.assert_all_delivered_once()
        answered = {(condition, status) for _, condition, status in self.relay.answered}
        # What was there though its answer was never read is found to be there, and left.
        self.assertEqual(answered, {("*", 200), ("*", 412)})

    def test_lines_put_directly_arrive_once_though_the_server_is_killed_during_puts(self):
        self.start(self.relay.address)
        self.create(self.destination(BufferingHints=AT_ONCE, CompressionFormat="GZIP"))
        self.kill_again_and_again(self.put_lines)

    def test_lines_of_a_stream_arrive_once_though_the_server_is_killed_during_puts(self):
        self.start(self.relay.address)
        arn = self.stream(shards=2)
        self.create_reading(arn, self.destination(BufferingHints=AT_ONCE))
        self.kill_again_and_again(self.put_lines_to_stream)

    def test_an_object_that_someone_else_made_meanwhile_is_not_put_over(self):
        self.start(self.relay.address)
        self.create(self.destination(BufferingHints=AT_ONCE))
        self.kill_in_the_middle(self.put_lines, BEFORE_THE_ANSWER)
        [(key, _)] = self.objects()
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=b"someone else's")
        self.start(self.relay.address)
        wait_until(lambda: self.status()["trouble"], "the delivery stops and says why")
        self.assertIn(key, self.status()["trouble"])
        self.assertEqual(self.status()["delivered"], 0)
        self.assertEqual(self.objects("log/"), [(key, b"someone else's")])
        self.assertEqual(self.relay.answered[0], (f"/{self.bucket}/{key}", "*", 412))


if __name__ == "__main__":
    unittest.main()
