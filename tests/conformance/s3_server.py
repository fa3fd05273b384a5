"""A real S3 server on loopback, s3s-fs of `tests/s3`."""

import os
import subprocess
import tempfile

import boto3
from botocore.config import Config

from server import REGION, REPOSITORY

KEY_ID, SECRET = "AKIDSTORE", "the store's secret"
PROGRAM = os.environ.get("S3_SERVER", REPOSITORY / "target/debug/examples/s3-server")
CONFIGURATION = """
[s3]
endpoint = "http://{address}"
region = "{region}"
access_key_id = "{key_id}"
secret_access_key = "{secret}"
path_style = true
"""


def configuration(address, secret=SECRET):
    """What millrace is told to deliver there."""
    return CONFIGURATION.format(address=address, region=REGION, key_id=KEY_ID, secret=secret)


class S3Server:
    """The server over a folder that goes with it. It verifies every signature."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        self.start()

    def start(self):
        """Starts it on what it left, at another port."""
        self.process = subprocess.Popen(
            [str(PROGRAM), self.directory.name, KEY_ID, SECRET],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ready = self.process.stdout.readline()
        if not ready.startswith("ready http://"):
            self.close()
            raise RuntimeError(f"the S3 server is not ready: {ready!r}")
        self.address = ready.removeprefix("ready http://").strip()

    def kill(self):
        """Ends the server in the middle of what it does."""
        self.process.kill()
        self.process.communicate()

    def close(self):
        """The server ends with its standard input."""
        self.process.communicate(timeout=30)
        self.directory.cleanup()

    def client(self, secret=SECRET):
        """boto3's client of S3."""
        return boto3.client(
            "s3",
            endpoint_url=f"http://{self.address}",
            region_name=REGION,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=secret,
            config=Config(s3={"addressing_style": "path"}),
        )

    def make_bucket(self, bucket):
        self.client().create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )

    def objects(self, bucket, prefix=""):
        """(key, content) of a bucket's objects below `prefix`, as they are listed."""
        client = self.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for item in [item for page in pages for item in page.get("Contents", [])]:
            content = client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            if len(content) != item["Size"]:
                raise AssertionError(f"{item['Key']} is listed with {item['Size']} bytes")
            yield item["Key"], content
