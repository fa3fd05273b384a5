"""boto3 makes a delivery stream to Splunk, changes and describes it. What is sent is tried against
a double of the event collector, in `tests/delivery`: no Splunk can be installed."""

import unittest

from deliveries import ROLE, Deliveries
from server import Server


class Splunk(Deliveries, unittest.TestCase):
    """One delivery stream for each test. Nothing is put, so that nothing is sent."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--no-throttle")
        cls.addClassCleanup(cls.server.stop)
        cls.firehose = cls.server.firehose()

    def destination(self):
        return {
            "HECEndpoint": "https://splunk.example:8088",
            "HECEndpointType": "Event",
            "HECToken": "11111111-2222-3333-4444-555555555555",
            "HECAcknowledgmentTimeoutInSeconds": 300,
            "RetryOptions": {"DurationInSeconds": 60},
            "S3BackupMode": "AllEvents",
            "S3Configuration": {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{self.bucket}"},
            "ProcessingConfiguration": {
                "Enabled": True,
                "Processors": [{
                    "Type": "AppendDelimiterToRecord",
                    "Parameters": [{"ParameterName": "Delimiter", "ParameterValue": "\\n"}],
                }],
            },
            "CloudWatchLoggingOptions": {
                "Enabled": True, "LogGroupName": "g", "LogStreamName": "s",
            },
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 10},
        }

    def make(self):
        answer = self.firehose.create_delivery_stream(
            DeliveryStreamName=self.name, SplunkDestinationConfiguration=self.destination(),
        )
        self.assert_valid("CreateDeliveryStream", answer)
        self.wait_until_active()

    def described(self):
        answer = self.firehose.describe_delivery_stream(DeliveryStreamName=self.name)
        self.assert_valid("DescribeDeliveryStream", answer)
        [destination] = answer["DeliveryStreamDescription"]["Destinations"]
        self.assertEqual(set(destination), {"DestinationId", "SplunkDestinationDescription"})
        return destination["SplunkDestinationDescription"]

    def test_it_is_described_as_it_was_made(self):
        self.make()
        described, wanted = self.described(), self.destination()
        s3 = described.pop("S3DestinationDescription")
        self.assertLessEqual(wanted.pop("S3Configuration").items(), s3.items())
        self.assertEqual(described, wanted)

    def test_it_is_changed_member_by_member(self):
        self.make()
        self.firehose.update_destination(
            DeliveryStreamName=self.name,
            CurrentDeliveryStreamVersionId="1",
            DestinationId="destinationId-000000000001",
            SplunkDestinationUpdate={
                "HECToken": "another", "S3Update": {"Prefix": "a/", "CompressionFormat": "GZIP"},
            },
        )
        described = self.described()
        self.assertEqual(described["HECToken"], "another")
        self.assertEqual(described["HECEndpoint"], self.destination()["HECEndpoint"])
        self.assertEqual(described["S3DestinationDescription"]["Prefix"], "a/")


if __name__ == "__main__":
    unittest.main()
