"""boto3 makes a delivery stream to an HTTP endpoint, changes and describes it, and an endpoint that
was written by AWS's page and nothing else takes what comes."""

import base64
import gzip
import json
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from deliveries import ROLE, Deliveries
from server import ACCOUNT, REGION, Server


class Endpoint(BaseHTTPRequestHandler):
    """Takes every request that conforms, and keeps it."""

    protocol_version = "HTTP/1.1"
    taken = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append((dict(self.headers.items()), body))
        request_id = self.headers["X-Amz-Firehose-Request-Id"]
        answer = json.dumps({"requestId": request_id, "timestamp": 1}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class HttpEndpoint(Deliveries, unittest.TestCase):
    """One delivery stream for each test, in a server that may call the endpoint."""

    @classmethod
    def setUpClass(cls):
        cls.endpoint = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
        threading.Thread(target=cls.endpoint.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.endpoint.server_close)
        cls.addClassCleanup(cls.endpoint.shutdown)
        port = cls.endpoint.server_port
        cls.url = f"http://127.0.0.1:{port}/take"
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
            config.write(f'[egress]\nallow = ["127.0.0.1:{port}"]\n')
            config.flush()
            cls.server = Server("--no-throttle", "--config", config.name)
        cls.addClassCleanup(cls.server.stop)
        cls.firehose = cls.server.firehose()

    def destination(self):
        return {
            "EndpointConfiguration": {"Url": self.url, "Name": "mine", "AccessKey": "key"},
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
            taken for taken in Endpoint.taken if taken[0]["x-amz-firehose-source-arn"] == arn
        ]
        self.assertEqual(headers["x-amz-firehose-access-key"], "key")
        attributes = json.loads(headers["x-amz-firehose-common-attributes"])
        self.assertEqual(attributes, {"commonAttributes": {"a": "b"}})
        self.assertEqual(headers["content-encoding"], "gzip")
        body = json.loads(gzip.decompress(body))
        self.assertEqual(body["requestId"], headers["x-amz-firehose-request-id"])
        data = [base64.b64decode(record["data"], validate=True) for record in body["records"]]
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
