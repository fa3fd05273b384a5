"""boto3 makes a delivery stream to an HTTP endpoint, changes and describes it, and an endpoint that
was written by AWS's page and nothing else takes what comes."""

import base64
import json
import tempfile
import unittest

from deliveries import ROLE, Deliveries
from http_endpoint import ACCESS_KEY, Endpoint, message
from server import ACCOUNT, REGION, Server


class HttpEndpoint(Deliveries, unittest.TestCase):
    """One delivery stream for each test, in a server that may call the endpoint."""

    @classmethod
    def setUpClass(cls):
        cls.endpoint = Endpoint()
        cls.addClassCleanup(cls.endpoint.stop)
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
            config.write(f'[egress]\nallow = ["{cls.endpoint.address}"]\n')
            config.flush()
            cls.server = Server("--no-throttle", "--config", config.name)
        cls.addClassCleanup(cls.server.stop)
        cls.firehose = cls.server.firehose()

    def destination(self):
        return {
            "EndpointConfiguration": {
                "Url": self.endpoint.url, "Name": "mine", "AccessKey": ACCESS_KEY,
            },
            "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 900},
            "CloudWatchLoggingOptions": {
                "Enabled": True, "LogGroupName": "g", "LogStreamName": "s",
            },
            "RequestConfiguration": {
                "ContentEncoding": "GZIP",
                "CommonAttributes": [{"AttributeName": "a", "AttributeValue": "b"}],
            },
            "ProcessingConfiguration": {
                "Enabled": True,
                "Processors": [{
                    "Type": "AppendDelimiterToRecord",
                    "Parameters": [{"ParameterName": "Delimiter", "ParameterValue": "|"}],
                }],
            },
            "RoleARN": ROLE,
            "RetryOptions": {"DurationInSeconds": 60},
            "S3BackupMode": "AllData",
            "S3Configuration": {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{self.bucket}"},
        }

    def make(self):
        answer = self.firehose.create_delivery_stream(
            DeliveryStreamName=self.name, HttpEndpointDestinationConfiguration=self.destination(),
        )
        self.assert_valid("CreateDeliveryStream", answer)
        self.wait_until_active()

    def described(self):
        answer = self.firehose.describe_delivery_stream(DeliveryStreamName=self.name)
        self.assert_valid("DescribeDeliveryStream", answer)
        return answer["DeliveryStreamDescription"]

    def test_it_is_described_as_it_was_made_but_for_its_key(self):
        self.make()
        [destination] = self.described()["Destinations"]
        self.assertEqual(set(destination), {
            "DestinationId", "HttpEndpointDestinationDescription",
        })
        described = destination["HttpEndpointDestinationDescription"]
        wanted = self.destination()
        del wanted["EndpointConfiguration"]["AccessKey"]
        s3 = described.pop("S3DestinationDescription")
        self.assertLessEqual(wanted.pop("S3Configuration").items(), s3.items())
        self.assertEqual(described, wanted)

    def test_records_come_to_the_endpoint_and_into_the_bucket(self):
        self.make()
        records = [{"Data": data} for data in (b"one", b"two|", b"\xff\x00")]
        self.firehose.put_record_batch(DeliveryStreamName=self.name, Records=records)
        self.flush()
        arn = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{self.name}"
        [(headers, body)] = [
            taken for taken in self.endpoint.taken if taken[0]["x-amz-firehose-source-arn"] == arn
        ]
        attributes = json.loads(headers["x-amz-firehose-common-attributes"])
        self.assertEqual(attributes, {"commonAttributes": {"a": "b"}})
        self.assertEqual(headers["content-encoding"], "gzip")
        records = message(headers, body)["records"]
        data = [base64.b64decode(record["data"], validate=True) for record in records]
        self.assertEqual(data, [b"one|", b"two|", b"\xff\x00|"])
        [(_, backup)] = self.objects()
        self.assertEqual(backup, b"onetwo|\xff\x00")

    def test_it_is_changed_member_by_member(self):
        self.make()
        self.firehose.update_destination(
            DeliveryStreamName=self.name,
            CurrentDeliveryStreamVersionId="1",
            DestinationId="destinationId-000000000001",
            HttpEndpointDestinationUpdate={
                "RetryOptions": {"DurationInSeconds": 7200},
                "S3Update": {"Prefix": "a/", "CompressionFormat": "GZIP"},
            },
        )
        described = self.described()
        self.assertEqual(described["VersionId"], "2")
        [destination] = described["Destinations"]
        http = destination["HttpEndpointDestinationDescription"]
        self.assertEqual(http["RetryOptions"], {"DurationInSeconds": 7200})
        self.assertEqual(http["EndpointConfiguration"]["Name"], "mine")
        self.assertEqual(http["S3DestinationDescription"]["Prefix"], "a/")


if __name__ == "__main__":
    unittest.main()
