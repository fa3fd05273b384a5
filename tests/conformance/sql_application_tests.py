"""An application of SQL, made with boto3, counts the records of a stream while the server is killed
again and again and its second query is changed; DuckDB counts the same records in the end."""

import json
import tempfile
import time
import unittest
from collections import Counter
from pathlib import Path

import duckdb

from deliveries import ROLE, wait_until
from server import ACCOUNT, REGION, Server

KILLS = 20
# After which of them the second query is changed.
CHANGED_AFTER = 10
RECORDS_EACH = 120
APPLICATION = "count-clicks"
COUNTS_CODE = """
CREATE OR REPLACE STREAM "COUNTS" (k VARCHAR(8), n BIGINT, total BIGINT, began TIMESTAMP);
CREATE OR REPLACE PUMP "COUNT" AS INSERT INTO "COUNTS"
  SELECT STREAM s."k", COUNT(*), SUM(s."v"), STEP(s.ROWTIME BY INTERVAL '1' SECOND)
  FROM "SOURCE_SQL_STREAM_001" AS s
  GROUP BY s."k", STEP(s.ROWTIME BY INTERVAL '1' SECOND);
"""
LARGE_CODE = """
CREATE OR REPLACE STREAM "LARGE" (k VARCHAR(8), n BIGINT, began TIMESTAMP);
CREATE OR REPLACE PUMP "FIND" AS INSERT INTO "LARGE"
  SELECT STREAM k, n, began FROM "COUNTS" WHERE n > {least};
"""
# The second query's bound before and after it is changed: then it lets all counts through.
BOUNDS = (12, 0)


def arn(service, resource):
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def documents(text):
    """The JSON documents that follow each other in a text."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        yield document


class SqlApplication(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        self.addCleanup(directory.cleanup)
        self.data = Path(directory.name, "data")
        self.put = 0
        self.start()

    def start(self):
        self.server = Server("--no-throttle", "--data", str(self.data))
        self.addCleanup(self.server.stop)
        self.kinesis = self.server.kinesis()
        self.client = self.server.analytics()

    def make_sources(self):
        for name, shards in (("clicks", 2), ("counts", 1)):
            self.kinesis.create_stream(StreamName=name, ShardCount=shards)
            waiter = self.kinesis.get_waiter("stream_exists")
            waiter.wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        firehose = self.server.firehose()
        firehose.create_delivery_stream(
            DeliveryStreamName="large",
            ExtendedS3DestinationConfiguration={
                "RoleARN": ROLE,
                "BucketARN": "arn:aws:s3:::large",
                "BufferingHints": {"IntervalInSeconds": 0, "SizeInMBs": 1},
            },
        )

        def active():
            described = firehose.describe_delivery_stream(DeliveryStreamName="large")
            return described["DeliveryStreamDescription"]["DeliveryStreamStatus"] == "ACTIVE"

        wait_until(active, "the delivery stream is active")

    def put_clicks(self, count=RECORDS_EACH):
        records = []
        for _ in range(count):
            self.put += 1
            click = {"id": self.put, "k": "abcde"[self.put % 5], "v": self.put % 97}
            records.append({"Data": json.dumps(click).encode(), "PartitionKey": str(self.put)})
        answer = self.kinesis.put_records(StreamName="clicks", Records=records)
        self.assertEqual(answer["FailedRecordCount"], 0)

    def make_application(self):
        source = arn("kinesis", "stream/clicks")
        found = self.client.discover_input_schema(
            ResourceARN=source,
            RoleARN=ROLE,
            InputStartingPositionConfiguration={"InputStartingPosition": "NOW"},
        )
        columns = [column["Name"] for column in found["InputSchema"]["RecordColumns"]]
        self.assertEqual(columns, ["id", "k", "v"])
        self.client.create_application(
            ApplicationName=APPLICATION,
            ApplicationCode=COUNTS_CODE + LARGE_CODE.format(least=BOUNDS[0]),
            Inputs=[
                {
                    "NamePrefix": "SOURCE_SQL_STREAM",
                    "KinesisStreamsInput": {"ResourceARN": source, "RoleARN": ROLE},
                    "InputSchema": found["InputSchema"],
                }
            ],
            Outputs=[
                {
                    "Name": "COUNTS",
                    "KinesisStreamsOutput": {
                        "ResourceARN": arn("kinesis", "stream/counts"),
                        "RoleARN": ROLE,
                    },
                    "DestinationSchema": {"RecordFormatType": "JSON"},
                },
                {
                    "Name": "LARGE",
                    "KinesisFirehoseOutput": {
                        "ResourceARN": arn("firehose", "deliverystream/large"),
                        "RoleARN": ROLE,
                    },
                    "DestinationSchema": {"RecordFormatType": "JSON"},
                },
            ],
        )
        detail = self.detail()
        self.client.start_application(
            ApplicationName=APPLICATION,
            InputConfigurations=[
                {
                    "Id": detail["InputDescriptions"][0]["InputId"],
                    "InputStartingPositionConfiguration": {
                        "InputStartingPosition": "TRIM_HORIZON"
                    },
                }
            ],
        )

    def detail(self):
        return self.client.describe_application(ApplicationName=APPLICATION)["ApplicationDetail"]

    def change_second_query(self):
        self.client.update_application(
            ApplicationName=APPLICATION,
            CurrentApplicationVersionId=self.detail()["ApplicationVersionId"],
            ApplicationUpdate={
                "ApplicationCodeUpdate": COUNTS_CODE + LARGE_CODE.format(least=BOUNDS[1])
            },
        )

    def records_of(self, stream):
        """(arrival in milliseconds, document) of all records of a stream."""
        records = []
        shards = self.kinesis.list_shards(StreamName=stream)["Shards"]
        for shard in shards:
            iterator = self.kinesis.get_shard_iterator(
                StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while True:
                answer = self.kinesis.get_records(ShardIterator=iterator)
                for record in answer["Records"]:
                    at = round(record["ApproximateArrivalTimestamp"].timestamp() * 1000)
                    records.append((at, json.loads(record["Data"])))
                iterator = answer["NextShardIterator"]
                if not answer["Records"] and answer["MillisBehindLatest"] == 0:
                    break
        return records

    def counted(self):
        """The rows of the first query, as often as each came."""
        rows = (row for _, row in self.records_of("counts"))
        return Counter((row["K"], row["N"], row["TOTAL"], row["BEGAN"]) for row in rows)

    def wanted(self):
        """What DuckDB says of the records that the stream holds."""
        clicks = [(at, click["k"], click["v"]) for at, click in self.records_of("clicks")]
        self.assertEqual(len(clicks), self.put)
        with duckdb.connect() as connection:
            connection.execute("CREATE TABLE clicks (arrived BIGINT, k VARCHAR, v BIGINT)")
            connection.executemany("INSERT INTO clicks VALUES (?, ?, ?)", clicks)
            rows = connection.execute(
                "SELECT k, count(*), sum(v)::BIGINT,"
                " strftime(make_timestamp(arrived // 1000 * 1000000), '%Y-%m-%d %H:%M:%S.000')"
                " FROM clicks GROUP BY k, arrived // 1000, 4"
            ).fetchall()
        return Counter(rows)

    def wait_until_all_are_counted(self):
        wait_until(
            lambda: sum(n for _, n, _, _ in self.counted()) >= self.put, "all records are counted"
        )

    def delivered(self):
        files = [path for path in (self.data / "s3/large").rglob("*") if path.is_file()]
        rows = (row for path in files for row in documents(path.read_text()))
        return Counter((row["K"], row["N"], row["BEGAN"]) for row in rows)

    def test_its_rows_are_those_of_a_batch_whoever_is_killed_when(self):
        self.make_sources()
        self.put_clicks()
        self.make_application()
        for kill in range(KILLS):
            self.put_clicks()
            if kill % 3 == 1:
                # Some of it is done, or all, when the server is killed.
                before = time.monotonic()
                wait_until(
                    lambda: time.monotonic() - before > 0.5 or sum(self.counted().values()) > kill,
                    "the application gets on",
                )
            if kill == CHANGED_AFTER:
                self.change_second_query()
            self.server.kill()
            self.start()
        self.wait_until_all_are_counted()
        # One of each key, in windows of their own: the changed query lets these through alone.
        self.put_clicks(5)
        self.wait_until_all_are_counted()
        counted = self.counted()
        self.assertEqual(counted, self.wanted())
        rows = {(k, n, began) for k, n, _, began in counted}
        always = {row for row in rows if row[1] > BOUNDS[0]}
        always |= {row for row in rows if row[1] == 1}
        wait_until(lambda: always <= set(self.delivered()), "all large counts are delivered")
        delivered = self.delivered()
        self.assertEqual(set(delivered.values()), {1})
        self.assertLessEqual(set(delivered), rows)
        self.assertIn(1, {n for _, n, _ in delivered}, "the change has no effect")
        self.assertEqual(self.detail()["ApplicationStatus"], "RUNNING")


if __name__ == "__main__":
    unittest.main()
