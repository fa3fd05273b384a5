"""TLS as clients of OpenSSL see it, with the file to trust that the server names."""

import json
import re
import socket
import ssl
import subprocess
import unittest

import boto3

from server import KEY_ID, REGION, SECRET, Server


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--tls-listen", "127.0.0.1:0")
        cls.addClassCleanup(cls.server.stop)
        said = next(line for line in cls.server.process.stdout if line.startswith("ready "))
        cls.endpoint, cls.authority = re.search(
            r"(https://\S+) AWS_CA_BUNDLE=(.+)$", said.rstrip("\n")
        ).groups()

    def kinesis(self, verify):
        return boto3.client(
            "kinesis",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            verify=verify,
        )

    def test_a_record_is_put_and_read_by_boto3(self):
        client = self.kinesis(self.authority)
        client.create_stream(StreamName="tls", ShardCount=1)
        client.get_waiter("stream_exists").wait(StreamName="tls", WaiterConfig={"Delay": 1})
        data = bytes(range(256)) * 2_000
        put = client.put_record(StreamName="tls", PartitionKey="a", Data=data)
        iterator = client.get_shard_iterator(
            StreamName="tls", ShardId=put["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        got = client.get_records(ShardIterator=iterator["ShardIterator"])
        self.assertEqual([record["Data"] for record in got["Records"]], [data])

    def test_the_command_line_trusts_the_file_that_the_ready_line_names(self):
        environment = self.server.environment() | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CA_BUNDLE": self.authority,
        }
        for service in ["kinesis list-streams", "sts get-caller-identity"]:
            ended = subprocess.run(
                ["aws", *service.split(), "--output", "json"],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
            )
            self.assertEqual((ended.returncode, ended.stderr), (0, ""))
            self.assertTrue(json.loads(ended.stdout))

    def test_the_certificate_is_good_to_a_strict_client_by_each_name(self):
        port = int(self.endpoint.rsplit(":", 1)[1])
        for name in ["localhost", "127.0.0.1", "::1"]:
            context = ssl.create_default_context(cafile=self.authority)
            context.verify_flags |= ssl.VERIFY_X509_STRICT
            context.set_alpn_protocols(["h2", "http/1.1"])
            with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
                with context.wrap_socket(plain, server_hostname=name) as within:
                    self.assertEqual(within.version(), "TLSv1.3")
                    self.assertEqual(within.selected_alpn_protocol(), "h2")

    def test_a_client_that_trusts_others_does_not_call(self):
        port = int(self.endpoint.rsplit(":", 1)[1])
        context = ssl.create_default_context()
        with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
            with self.assertRaises(ssl.SSLCertVerificationError):
                context.wrap_socket(plain, server_hostname="localhost")


if __name__ == "__main__":
    unittest.main()
