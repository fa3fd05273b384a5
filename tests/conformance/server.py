"""The built server on a port of its own, and clients for it."""

import functools
import json
import os
import re
import signal
import subprocess
import tempfile
import urllib.parse
from http.client import HTTPConnection
from pathlib import Path

import boto3
import botocore.session
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

REGION = "eu-central-1"
ACCOUNT = "000000000000"
KEY_ID, SECRET = "AKIDEXAMPLE", "secret"
REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("MILLRACE", REPOSITORY / "target/debug/millrace")
TARGETS = {
    "kinesis": "Kinesis_20131202",
    "firehose": "Firehose_20150804",
    "kinesisanalytics": "KinesisAnalytics_20150814",
    "kinesisanalyticsv2": "KinesisAnalytics_20180523",
}
# What requests are signed for, where it is not what boto3 calls the service.
SIGNED_FOR = {"kinesisanalyticsv2": "kinesisanalytics"}


class Server:
    """`millrace serve` on a free port, with a data directory that goes with it."""

    def __init__(self, *flags, arguments=("serve",)):
        self.directory = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        command = [str(PROGRAM), *arguments, "--listen", "127.0.0.1:0", *flags]
        if "--data" not in command:
            command += ["--data", os.path.join(self.directory.name, "data")]
        self.data = Path(self.directory.name, command[command.index("--data") + 1])
        self.log = open(os.path.join(self.directory.name, "log"), "w+")
        self.process = subprocess.Popen(
            command,
            cwd=self.directory.name,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.endpoint = self._endpoint()

    def _endpoint(self):
        printed = ""
        for line in self.process.stdout:
            printed += line
            found = re.search(r"http://[\d.]+:\d+", line)
            if found:
                return found.group(0)
        self.process.communicate()
        self.log.seek(0)
        printed += self.log.read()
        self.stop()
        raise RuntimeError(f"the server named no endpoint: {printed}")

    def stop(self):
        """Ends the server as an operator would, if it runs; its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            # What it still prints must not fill the pipe.
            self.process.communicate(timeout=30)
        self.log.close()
        self.directory.cleanup()
        return self.process.returncode

    def kill(self):
        """Ends the server in the middle of what it does."""
        self.process.kill()
        self.process.communicate()

    def logged(self, text):
        """Lines of its log so far that hold a text."""
        with open(self.log.name) as log:
            return [line for line in log if text in line]

    def kinesis(self, key_id=KEY_ID, secret=SECRET, **options):
        """boto3's client of Data Streams."""
        return self._client("kinesis", key_id, secret, **options)

    def firehose(self, key_id=KEY_ID, secret=SECRET, **options):
        """boto3's client of Data Firehose."""
        return self._client("firehose", key_id, secret, **options)

    def analytics(self, key_id=KEY_ID, secret=SECRET, **options):
        """boto3's client of Kinesis Data Analytics, version 1."""
        return self._client("kinesisanalytics", key_id, secret, **options)

    def analytics_v2(self, key_id=KEY_ID, secret=SECRET, **options):
        """boto3's client of Kinesis Data Analytics, version 2."""
        return self._client("kinesisanalyticsv2", key_id, secret, **options)

    def sts(self, key_id=KEY_ID, secret=SECRET, **options):
        """boto3's client of the Security Token Service."""
        return self._client("sts", key_id, secret, **options)

    def dynamodb(self, config=None, endpoint=None):
        """boto3's client of DynamoDB, here or elsewhere."""
        return boto3.client(
            "dynamodb",
            endpoint_url=endpoint or self.endpoint,
            region_name=REGION,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            config=config,
        )

    def cloudwatch(self, key_id=KEY_ID, secret=SECRET, **options):
        """boto3's client of CloudWatch."""
        return self._client("cloudwatch", key_id, secret, **options)

    def metrics(self):
        """What the server measures, as its operator sees it."""
        return self.send(AWSRequest(method="GET", url=self.endpoint + "/metrics"))[1]

    def _client(self, service, key_id, secret, token=None, region=REGION, attempts=1):
        """boto3's client, validating what it sends and what it gets."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}),
        )

    def environment(self):
        """What a program needs to find the server."""
        return {
            **os.environ,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": os.path.join(self.directory.name, "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": os.path.join(self.directory.name, "no-credentials"),
            "AWS_PAGER": "",
        }

    def run(self, *command):
        """A program that finds the server by its environment; how it ended."""
        return subprocess.run(
            [str(part) for part in command],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def raw(self, operation, body, service="kinesis", signed_for=None, **credentials):
        """Sends any body, signed, past every check of a client: (status, JSON or None)."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"{TARGETS[service]}.{operation}",
        }
        signed_for = signed_for or SIGNED_FOR.get(service, service)
        return self._send("POST", "/", data, headers, signed_for, **credentials)

    def page(self, path, method="GET", **credentials):
        """Asks for one of the server's own pages: (status, JSON or None)."""
        return self._send(method, f"/_millrace/{path}", b"", {}, "kinesis", **credentials)

    def presigned(self, path, method="GET", headers=(), service="kinesis", expires=60):
        """A request without a body that is signed in its query, by the right key."""
        request = AWSRequest(method=method, url=self.endpoint + path, headers=dict(headers))
        auth = SigV4QueryAuth(Credentials(KEY_ID, SECRET), service, REGION, expires=expires)
        auth.add_auth(request)
        return request

    def send(self, request):
        """Sends a request as it is: (status, text)."""
        target = urllib.parse.urlsplit(request.url)
        connection = HTTPConnection(target.netloc, timeout=60)
        try:
            whole = f"{target.path}?{target.query}" if target.query else target.path
            headers = dict(request.headers.items())
            connection.request(request.method, whole, request.data, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def _send(self, method, path, data, headers, service, key_id=KEY_ID, secret=SECRET):
        request = AWSRequest(method=method, url=self.endpoint + path, data=data, headers=headers)
        SigV4Auth(Credentials(key_id, secret), service, REGION).add_auth(request)
        status, text = self.send(request)
        return status, json.loads(text) if text else None


@functools.cache
def model(service="kinesis"):
    """The public service model that boto3 itself uses."""
    return botocore.session.get_session().get_service_model(service)
