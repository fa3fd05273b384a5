"""boto3 from a delivery stream's creation to its end, records through components of this
repository, and the objects that come out. botocore validates every input that it sends and parses
every answer with the service model."""

import base64
import gzip
import io
import json
import os
import unittest
import zipfile
from datetime import datetime, timedelta, timezone

import snappy
import zstandard

from deliveries import (
    Deliveries, extended_s3, function_arn, lambda_processor, ROLE, unpacked, wait_until,
    with_defaults,
)
from server import ACCOUNT, REGION, REPOSITORY

DELIMITER = {"Type": "AppendDelimiterToRecord"}
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def example(plugin, file):
    return (REPOSITORY / "plugins" / plugin / "examples" / file).read_bytes()


def zstd_content(packed):
    return zstandard.ZstdDecompressor().stream_reader(packed).read()


class DeliveryStreams(Deliveries, unittest.TestCase):
    plugins_used = ("drop-bots", "parse-access-log", "redact-card-numbers")

    def test_records_go_through_a_component_into_a_packed_object(self):
        processor = lambda_processor("redact-card-numbers")
        packed = {"CompressionFormat": "GZIP", "Prefix": "paid/"}
        answer = self.create(extended_s3(self.bucket, processor, **packed))
        self.assert_valid("CreateDeliveryStream", answer)
        arn = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{self.name}"
        self.assertEqual(answer["DeliveryStreamARN"], arn)
        self.put(*example("redact-card-numbers", "payments.txt").splitlines(keepends=True))
        self.assertEqual(self.objects(), [])
        self.flush()
        [(key, content)] = self.objects()
        name = rf"{self.name}-1-\d{{4}}-\d\d-\d\d-\d\d-\d\d-\d\d-{UUID}\.gz"
        self.assertRegex(key, rf"^paid/\d{{4}}/\d\d/\d\d/\d\d/{name}$")
        wanted = example("redact-card-numbers", "redacted.txt").splitlines()
        self.assertEqual(unpacked(content), wanted)

    def test_records_lie_below_the_keys_that_a_query_finds_in_them(self):
        def processor(kind, **parameters):
            said = [
                {"ParameterName": name, "ParameterValue": value}
                for name, value in parameters.items()
            ]
            return {"Type": kind, "Parameters": said}

        query = '{customer: .customer.id, year: (.at | strftime("%Y"))}'
        processors = [
            processor("RecordDeAggregation", SubRecordType="JSON"),
            processor(
                "MetadataExtraction", MetadataExtractionQuery=query, JsonParsingEngine="JQ-1.6"
            ),
            DELIMITER,
        ]
        partitioning = {"Enabled": True, "RetryOptions": {"DurationInSeconds": 60}}
        destination = extended_s3(
            self.bucket,
            *processors,
            Prefix="c=!{partitionKeyFromQuery:customer}/!{partitionKeyFromQuery:year}/",
            ErrorOutputPrefix="failed/!{firehose:error-output-type}/",
            BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 60},
            DynamicPartitioningConfiguration=partitioning,
        )
        self.create(destination)
        [described] = self.describe()["Destinations"]
        extended = described["ExtendedS3DestinationDescription"]
        self.assertEqual(extended["DynamicPartitioningConfiguration"], partitioning)

        def event(customer, at):
            return json.dumps({"customer": {"id": customer}, "at": at}).encode()

        first, second, third = event("a", 0), event("b", 86_400), event("a", 31_536_000)
        self.put(first + second, third, b"{}")
        self.flush()
        found = {key.rpartition("/")[0]: content for key, content in self.objects()}
        lines = {"c=a/1970": first, "c=b/1970": second, "c=a/1971": third}
        failed = json.loads(found.pop("failed/processing-failed"))
        self.assertEqual(found, {folder: line + b"\n" for folder, line in lines.items()})
        self.assertEqual(failed["errorCode"], "DynamicPartitioning.MetadataExtractionFailed")
        self.assertEqual(base64.b64decode(failed["rawData"]), b"{}")

    def test_log_events_become_lines_and_all_records_are_backed_up_as_they_came(self):
        processors = [
            {
                "Type": "Decompression",
                "Parameters": [{"ParameterName": "CompressionFormat", "ParameterValue": "GZIP"}],
            },
            {
                "Type": "CloudWatchLogProcessing",
                "Parameters": [
                    {"ParameterName": "DataMessageExtraction", "ParameterValue": "true"},
                ],
            },
        ]
        backup = {
            "RoleARN": ROLE,
            "BucketARN": f"arn:aws:s3:::{self.bucket}",
            "Prefix": "raw/",
            "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
            "CompressionFormat": "UNCOMPRESSED",
            "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
            "CloudWatchLoggingOptions": {"Enabled": False},
        }
        said = extended_s3(
            self.bucket,
            *processors,
            Prefix="lines/",
            S3BackupMode="Enabled",
            S3BackupConfiguration=backup,
        )
        self.create(said)
        [destination] = self.describe()["Destinations"]
        extended = destination["ExtendedS3DestinationDescription"]
        self.assertEqual(extended["ProcessingConfiguration"], said["ProcessingConfiguration"])
        self.assertEqual(extended["S3BackupMode"], "Enabled")
        self.assertEqual(extended["S3BackupDescription"], backup)
        events = [{"id": "1", "timestamp": 1, "message": text} for text in ["one", "two"]]
        sent = {"messageType": "DATA_MESSAGE", "owner": ACCOUNT, "logEvents": events}
        record = gzip.compress(json.dumps(sent).encode())
        self.put(record)
        self.flush()
        objects = dict(self.objects())
        [lines] = [content for key, content in objects.items() if key.startswith("lines/")]
        [raw] = [content for key, content in objects.items() if key.startswith("raw/")]
        self.assertEqual((lines, raw), (b"one\ntwo\n", record))

    def test_a_stream_is_delivered_from_all_its_shards(self):
        arn = self.stream(shards=3)
        put_before = {"Data": b"before the delivery stream was made", "PartitionKey": "a"}
        self.kinesis.put_records(StreamName=self.name, Records=[put_before])
        processor = lambda_processor("parse-access-log")
        self.create_reading(arn, extended_s3(self.bucket, processor, Prefix="log/"))
        line = '192.0.2.7 - - [10/Oct/2026:13:55:36 +0000] "GET /{} HTTP/1.1" 200 1 "-" "curl/8"'
        records = [
            {"Data": line.format(number).encode(), "PartitionKey": f"key-{number}"}
            for number in range(500)
        ]
        answer = self.kinesis.put_records(StreamName=self.name, Records=records)
        self.assertEqual(len({placed["ShardId"] for placed in answer["Records"]}), 3)
        wait_until(lambda: self.status()["waitingRecords"] == 500, "all shards are read")
        self.flush()
        self.assertEqual(len(self.objects()), 3)
        paths = [json.loads(line)["path"] for line in self.lines("log/")]
        self.assertEqual(sorted(paths), sorted(f"/{number}" for number in range(500)))

    def test_a_record_that_a_component_refuses_is_kept_below_the_error_prefix(self):
        processor = lambda_processor("parse-access-log")
        prefixes = {"Prefix": "log/", "ErrorOutputPrefix": "failed/"}
        packed = {"CompressionFormat": "GZIP"}
        self.create(extended_s3(self.bucket, processor, **prefixes, **packed))
        log = example("parse-access-log", "access.log").splitlines()
        self.put(*log, b"\xff no line of a log")
        self.flush()
        wanted = example("parse-access-log", "access.json").splitlines()
        self.assertEqual(self.lines("log/"), wanted)
        [(key, content)] = self.objects("failed/")
        self.assertRegex(key, r"^failed/processing-failed/" + self.name + "-1-")
        # Failed records are not packed, as AWS does not pack them.
        failed = json.loads(content)
        self.assertEqual(base64.b64decode(failed["rawData"]), b"\xff no line of a log")
        self.assertEqual(list(failed)[-1], "lambdaARN")
        self.assertEqual(failed["lambdaARN"], function_arn("parse-access-log"))
        self.assertEqual(failed["errorCode"], "Lambda.ProcessingFailedStatus")
        self.assertEqual(failed["errorMessage"], "ProcessingFailed status set for record")
        self.assertRegex(failed["reason"], r"^column \d+: expected ")
        now = datetime.now(timezone.utc).timestamp() * 1000
        self.assertLess(abs(now - failed["arrivalTimestamp"]), 60_000)
        status = self.status()
        self.assertEqual((status["delivered"], status["failed"]), (len(log), 1))

    def test_a_record_that_a_component_leaves_out_is_counted_and_in_no_object(self):
        self.create(extended_s3(self.bucket, lambda_processor("drop-bots")))
        log = example("drop-bots", "access.log").splitlines(keepends=True)
        self.put(*log)
        self.flush()
        wanted = example("drop-bots", "without-bots.log").splitlines()
        self.assertEqual(self.lines(), wanted)
        status = self.status()
        self.assertEqual(status["recordsIn"], len(log))
        self.assertEqual(status["dropped"], len(log) - len(wanted))
        [version] = status["versions"]
        self.assertEqual(version["plugin"], "drop-bots")
        self.assertEqual(version["dropped"], status["dropped"])

    def test_every_compression_is_read_by_other_peoples_code(self):
        readers = {
            "GZIP": (".gz", gzip.decompress),
            "ZIP": (".zip", lambda packed: zipfile.ZipFile(io.BytesIO(packed)).read("records")),
            "Snappy": (".snappy", lambda packed: snappy.StreamDecompressor().decompress(packed)),
            "HADOOP_SNAPPY": (
                ".hsnappy", lambda packed: snappy.HadoopStreamDecompressor().decompress(packed),
            ),
            "ZSTD": (".zst", zstd_content),
        }
        data = [b"%d of many\n" % number * 40 for number in range(400)] + [os.urandom(300_000)]
        self.create(extended_s3(self.bucket))
        for version, (compression, (extension, read)) in enumerate(readers.items(), start=1):
            self.firehose.update_destination(
                DeliveryStreamName=self.name, CurrentDeliveryStreamVersionId=str(version),
                DestinationId="destinationId-000000000001",
                ExtendedS3DestinationUpdate={
                    "CompressionFormat": compression, "Prefix": f"{compression}/",
                },
            )
            self.put(*data)
            self.flush()
            with self.subTest(compression):
                [(key, content)] = self.objects(f"{compression}/")
                self.assertTrue(key.endswith(extension), key)
                self.assertEqual(read(content), b"".join(data))
                self.assertLess(len(content), len(b"".join(data)) * 3 // 4)

    def test_data_of_any_bytes_comes_out_as_it_was_put(self):
        self.create(extended_s3(self.bucket))
        data = [bytes(range(256)), b"", b"\n", bytes(1_024_000)]
        for one in data:
            answer = self.firehose.put_record(DeliveryStreamName=self.name, Record={"Data": one})
            self.assert_valid("PutRecord", answer)
            self.assertFalse(answer["Encrypted"])
        self.flush()
        self.assertEqual([content for _, content in self.objects()], [b"".join(data)])

    def test_every_record_of_a_batch_is_answered_and_delivered_in_its_place(self):
        self.create(extended_s3(self.bucket, DELIMITER))
        data = [b"%d" % number for number in range(500)]
        records = [{"Data": one} for one in data]
        answer = self.firehose.put_record_batch(DeliveryStreamName=self.name, Records=records)
        self.assert_valid("PutRecordBatch", answer)
        ids = {response["RecordId"] for response in answer["RequestResponses"]}
        self.assertEqual(len(ids), 500)
        self.flush()
        self.assertEqual(self.lines(), data)

    def test_a_delimiter_is_what_its_processor_says(self):
        parameter = {"ParameterName": "Delimiter", "ParameterValue": "\\t|"}
        self.create(extended_s3(self.bucket, {**DELIMITER, "Parameters": [parameter]}))
        self.put(b"a", b"b")
        self.flush()
        self.assertEqual([content for _, content in self.objects()], [b"a\t|b\t|"])

    def test_prefixes_with_expressions_and_a_file_extension_make_the_names(self):
        prefixes = {
            "Prefix": "year=!{timestamp:yyyy}/!{firehose:random-string}/",
            "ErrorOutputPrefix": "!{firehose:error-output-type}/!{timestamp:yyyy}/",
            "FileExtension": ".json.z",
            "CompressionFormat": "GZIP",
        }
        self.create(extended_s3(self.bucket, lambda_processor("parse-access-log"), **prefixes))
        self.put(example("parse-access-log", "access.log").splitlines()[0], b"no line of a log")
        self.flush()
        keys = [key for key, _ in self.objects()]
        self.assertRegex(keys[0], r"^processing-failed/\d{4}/" + self.name)
        self.assertRegex(keys[1], r"^year=\d{4}/[0-9a-z]{11}/" + self.name + r".*-\w{12}\.json\.z$")

    def test_records_go_by_themselves_once_the_interval_has_passed(self):
        hints = {"SizeInMBs": 128, "IntervalInSeconds": 1}
        self.create(extended_s3(self.bucket, BufferingHints=hints))
        self.put(b"one", b"two")
        wait_until(self.objects, "the interval passes")
        self.assertEqual([content for _, content in self.objects()], [b"onetwo"])

    def test_records_go_by_themselves_once_there_are_enough(self):
        hints = {"SizeInMBs": 1, "IntervalInSeconds": 900}
        self.create(extended_s3(self.bucket, BufferingHints=hints))
        # In calls of 500, of which three have more than a mebibyte.
        self.put(*[bytes(1000)] * 2000)
        wait_until(lambda: self.status()["waitingRecords"] == 500, "three calls are enough")
        self.assertEqual([len(content) for _, content in self.objects()], [1_500_000])
        self.flush()
        self.assertEqual([len(content) for _, content in self.objects()], [1_500_000, 500_000])

    def test_a_new_delivery_stream_is_described_in_all_its_parts(self):
        arn = self.stream(shards=1)
        processor = lambda_processor("drop-bots")
        said = extended_s3(
            self.bucket,
            processor,
            Prefix="a/",
            ErrorOutputPrefix="b/",
            CompressionFormat="GZIP",
            EncryptionConfiguration={"NoEncryptionConfig": "NoEncryption"},
            CloudWatchLoggingOptions={
                "Enabled": True, "LogGroupName": "group", "LogStreamName": "stream",
            },
            FileExtension=".gz",
        )
        self.create_reading(arn, said)
        answer = self.firehose.describe_delivery_stream(DeliveryStreamName=self.name)
        self.assert_valid("DescribeDeliveryStream", answer)
        described = answer["DeliveryStreamDescription"]
        now = datetime.now(timezone.utc)
        self.assertLess(abs(now - described["CreateTimestamp"]), timedelta(minutes=1))
        self.assertEqual(described["DeliveryStreamStatus"], "ACTIVE")
        self.assertEqual(described["DeliveryStreamType"], "KinesisStreamAsSource")
        self.assertEqual(described["VersionId"], "1")
        self.assertFalse(described["HasMoreDestinations"])
        self.assertNotIn("LastUpdateTimestamp", described)
        source = described["Source"]["KinesisStreamSourceDescription"]
        self.assertEqual((source["KinesisStreamARN"], source["RoleARN"]), (arn, ROLE))
        [destination] = described["Destinations"]
        self.assertEqual(destination["DestinationId"], "destinationId-000000000001")
        extended = destination["ExtendedS3DestinationDescription"]
        processing = with_defaults(said["ProcessingConfiguration"])
        wanted = {**said, "ProcessingConfiguration": processing, "S3BackupMode": "Disabled"}
        self.assertEqual(extended, wanted)
        # As AWS does, what an older client knows of it is said again.
        basic = destination["S3DestinationDescription"]
        self.assertEqual(basic, {name: extended[name] for name in basic})

    def test_answers_hold_nothing_that_the_model_does_not_know(self):
        self.create(extended_s3(self.bucket, lambda_processor("drop-bots")))
        tags = [{"Key": "a", "Value": "b"}]
        name = {"DeliveryStreamName": self.name}
        record = {"Data": base64.b64encode(b"x").decode()}
        bodies = {
            "TagDeliveryStream": {**name, "Tags": tags},
            "ListTagsForDeliveryStream": name,
            "PutRecord": {**name, "Record": record},
            "PutRecordBatch": {**name, "Records": [record]},
            "DescribeDeliveryStream": name,
            "ListDeliveryStreams": {},
            "UpdateDestination": {
                **name,
                "CurrentDeliveryStreamVersionId": "1",
                "DestinationId": "destinationId-000000000001",
                "ExtendedS3DestinationUpdate": {"Prefix": "a/"},
            },
            "UntagDeliveryStream": {**name, "TagKeys": ["a"]},
            "DeleteDeliveryStream": name,
        }
        for operation, body in bodies.items():
            with self.subTest(operation):
                status, answer = self.server.raw(operation, body, "firehose")
                self.assertEqual(status, 200, answer)
                self.assert_known(operation, answer)

    def test_defaults_are_described_though_nothing_was_said(self):
        destination = {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{self.bucket}"}
        self.firehose.create_delivery_stream(
            DeliveryStreamName=self.name, S3DestinationConfiguration=destination
        )
        self.wait_until_active()
        described = self.describe()
        self.assertEqual(described["DeliveryStreamType"], "DirectPut")
        self.assertNotIn("Source", described)
        [destination] = described["Destinations"]
        basic = destination["S3DestinationDescription"]
        extended = destination["ExtendedS3DestinationDescription"]
        self.assertLessEqual(basic.items(), extended.items())
        hints = {"SizeInMBs": 5, "IntervalInSeconds": 300}
        self.assertEqual(basic["BufferingHints"], hints)
        self.assertEqual(basic["CompressionFormat"], "UNCOMPRESSED")
        self.assertEqual(basic["EncryptionConfiguration"], {"NoEncryptionConfig": "NoEncryption"})
        self.assertEqual(basic["CloudWatchLoggingOptions"], {"Enabled": False})

    def test_delivery_streams_are_listed_page_by_page_and_by_type(self):
        arn = self.stream(shards=1)
        direct = [f"{self.name[:50]}-{number}" for number in range(3)]
        for name in direct:
            self.firehose.create_delivery_stream(
                DeliveryStreamName=name,
                ExtendedS3DestinationConfiguration=extended_s3(self.bucket),
            )
        self.create_reading(arn, extended_s3(self.bucket))
        listed, start = [], {}
        while True:
            page = self.firehose.list_delivery_streams(Limit=2, **start)
            self.assert_valid("ListDeliveryStreams", page)
            self.assertLessEqual(len(page["DeliveryStreamNames"]), 2)
            listed += page["DeliveryStreamNames"]
            if not page["HasMoreDeliveryStreams"]:
                break
            start = {"ExclusiveStartDeliveryStreamName": listed[-1]}
        self.assertEqual(listed, sorted(set(listed)))
        self.assertLessEqual({self.name, *direct}, set(listed))
        for kind, wanted in [("DirectPut", direct), ("KinesisStreamAsSource", [self.name])]:
            answer = self.firehose.list_delivery_streams(DeliveryStreamType=kind, Limit=10000)
            names = answer["DeliveryStreamNames"]
            self.assertEqual({*direct, self.name} & set(names), set(wanted))

    def test_a_changed_destination_keeps_what_was_not_said_and_delivers_from_then_on(self):
        processor = lambda_processor("redact-card-numbers")
        self.create(extended_s3(self.bucket, processor, Prefix="one/", CompressionFormat="GZIP"))
        card = b"4111111111111111\n"
        self.put(card)
        answer = self.firehose.update_destination(
            DeliveryStreamName=self.name,
            CurrentDeliveryStreamVersionId="1",
            DestinationId="destinationId-000000000001",
            ExtendedS3DestinationUpdate={"Prefix": "two/", "CompressionFormat": "UNCOMPRESSED"},
        )
        self.assert_valid("UpdateDestination", answer)
        described = self.describe()
        self.assertEqual(described["VersionId"], "2")
        self.assertLessEqual(described["CreateTimestamp"], described["LastUpdateTimestamp"])
        [destination] = described["Destinations"]
        extended = destination["ExtendedS3DestinationDescription"]
        wanted = extended_s3(self.bucket, processor, Prefix="two/")
        wanted["ProcessingConfiguration"] = with_defaults(wanted["ProcessingConfiguration"])
        self.assertLessEqual(wanted.items(), extended.items())
        self.put(card)
        self.flush()
        # What waited during the update goes by the new configuration, too.
        self.assertEqual(self.objects("one/"), [])
        for key, _ in self.objects("two/"):
            self.assertIn(f"/{self.name}-2-", key)
        self.assertEqual(self.lines(), [b"************1111"] * 2)

    def test_tags_are_added_listed_replaced_and_removed(self):
        def tags(**values):
            return [{"Key": key, "Value": value} for key, value in values.items()]

        name = {"DeliveryStreamName": self.name}
        self.create(extended_s3(self.bucket), Tags=tags(a="1", b="2"))
        for added in [tags(a="3"), [{"Key": "c"}]]:
            answer = self.firehose.tag_delivery_stream(**name, Tags=added)
            self.assert_valid("TagDeliveryStream", answer)
        answer = self.firehose.list_tags_for_delivery_stream(**name)
        self.assert_valid("ListTagsForDeliveryStream", answer)
        listed = {tag["Key"]: tag.get("Value", "") for tag in answer["Tags"]}
        self.assertEqual(listed, {"a": "3", "b": "2", "c": ""})
        page = self.firehose.list_tags_for_delivery_stream(**name, Limit=1)
        self.assertTrue(page["HasMoreTags"])
        rest = self.firehose.list_tags_for_delivery_stream(
            **name, ExclusiveStartTagKey=page["Tags"][-1]["Key"]
        )
        self.assertEqual([tag["Key"] for tag in rest["Tags"]], ["b", "c"])
        self.firehose.untag_delivery_stream(**name, TagKeys=["a", "c", "none"])
        answer = self.firehose.list_tags_for_delivery_stream(**name)
        self.assertEqual(answer["Tags"], tags(b="2"))
        self.assertFalse(answer["HasMoreTags"])

    def test_a_deleted_delivery_stream_is_gone_and_its_name_is_free_and_empty(self):
        self.create(extended_s3(self.bucket))
        self.put(b"old")
        answer = self.firehose.delete_delivery_stream(DeliveryStreamName=self.name)
        self.assert_valid("DeleteDeliveryStream", answer)

        def is_gone():
            listed = self.firehose.list_delivery_streams(Limit=10000)["DeliveryStreamNames"]
            return self.name not in listed

        wait_until(is_gone, "it is deleted")
        with self.assertRaises(self.firehose.exceptions.ResourceNotFoundException):
            self.describe()
        self.create(extended_s3(self.bucket))
        self.put(b"new")
        self.flush()
        self.assertEqual([content for _, content in self.objects()], [b"new"])


if __name__ == "__main__":
    unittest.main()
