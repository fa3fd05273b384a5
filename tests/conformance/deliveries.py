"""What tests of delivery streams and plugins share: a plugins directory, the objects that were
delivered, and waiting for what happens by itself."""

import gzip
import json
import os
import tempfile
import threading
import time
from pathlib import Path

from server import ACCOUNT, REGION, REPOSITORY, Server
from valid_answers import ValidAnswers

ROLE = f"arn:aws:iam::{ACCOUNT}:role/delivery"
WAIT_SECONDS_MAX = 30


def wait_until(is_so, what, seconds_max=WAIT_SECONDS_MAX):
    """Asks again and again; the last answer that is not false. What is waited for is a text, or is
    asked when it was waited for in vain."""
    deadline = time.monotonic() + seconds_max
    pause = threading.Event()
    while True:
        found = is_so()
        if found:
            return found
        if deadline < time.monotonic():
            told = what() if callable(what) else what
            raise AssertionError(f"waited for {seconds_max} s: {told}")
        pause.wait(0.02)


def function_arn(plugin):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{plugin}"


def lambda_processor(plugin):
    return {
        "Type": "Lambda",
        "Parameters": [{"ParameterName": "LambdaArn", "ParameterValue": function_arn(plugin)}],
    }


def with_defaults(processing):
    """A transform's configuration as it is described: with what was not said."""
    defaults = [
        ("NumberOfRetries", "3"),
        ("RoleArn", ROLE),
        ("BufferSizeInMBs", "1"),
        ("BufferIntervalInSeconds", "60"),
    ]
    said = [{"ParameterName": name, "ParameterValue": value} for name, value in defaults]
    processors = [
        {**processor, "Parameters": processor["Parameters"] + said}
        for processor in processing["Processors"]
    ]
    return {**processing, "Processors": processors}


def extended_s3(bucket, *processors, **members):
    """A destination whose records go together for a minute unless something sends them off."""
    destination = {
        "RoleARN": ROLE,
        "BucketARN": f"arn:aws:s3:::{bucket}",
        "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 60},
        **members,
    }
    if processors:
        enabled = {"Enabled": True, "Processors": list(processors)}
        destination["ProcessingConfiguration"] = enabled
    return destination


class PluginsDirectory:
    """Plugins of this repository, as `cargo xtask plugins` builds them, in a directory of the
    test's own. Each file is put there whole, as `mv` does it."""

    def __init__(self, *names):
        self.directory = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        self.path = Path(self.directory.name)
        for name in names:
            (self.path / name).mkdir()
            self.restore(name)

    def restore(self, name):
        """Puts the plugin there as the repository has it."""
        for file in (f"{name}.wasm", "plugin.toml"):
            self.write(name, file, (REPOSITORY / "plugins" / name / file).read_bytes())

    def write(self, name, file, content):
        with tempfile.NamedTemporaryFile(dir=self.path, delete=False) as staged:
            staged.write(content)
        os.replace(staged.name, self.path / name / file)

    def configure(self, name, version, **config):
        """Another manifest beside the same component."""
        lines = [f"name = '{name}'", f"version = '{version}'", "[config]"]
        lines += [f"{key} = '{value}'" for key, value in config.items()]
        self.write(name, "plugin.toml", "\n".join(lines).encode())


class Deliveries(ValidAnswers):
    """Mixed into a test: a server with plugins, and what its delivery streams are asked for."""

    service = "firehose"
    plugins_used = ()
    flags = ("--no-throttle",)
    # Lines of the configuration's [plugin_limits].
    plugin_limits = ""

    @classmethod
    def setUpClass(cls):
        cls.plugins = PluginsDirectory(*cls.plugins_used)
        cls.addClassCleanup(cls.plugins.directory.cleanup)
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
            config.write(f"[plugin_limits]\n{cls.plugin_limits}\n")
            config.flush()
            more = ["--config", config.name, "--plugins", str(cls.plugins.path)]
            cls.server = Server(*cls.flags, *more)
        cls.addClassCleanup(cls.server.stop)
        cls.wait_until_loaded()
        cls.firehose = cls.server.firehose()
        cls.kinesis = cls.server.kinesis()

    @classmethod
    def wait_until_loaded(cls):
        """The server answers while it loads plugins."""

        def are_loaded():
            _, page = cls.server.page("plugins")
            return all(plugin["state"] != "loading" for plugin in page["plugins"])

        wait_until(are_loaded, "all plugins are loaded")

    def setUp(self):
        test = self.id().split(".")[-1].removeprefix("test_")
        self.name = test[:64]
        self.bucket = test.replace("_", "-")[:60] + "-s3"

    def create(self, destination, **members):
        """A delivery stream of this test's own, ACTIVE."""
        answer = self.firehose.create_delivery_stream(
            DeliveryStreamName=self.name,
            ExtendedS3DestinationConfiguration=destination,
            **members,
        )
        self.wait_until_active()
        return answer

    def stream(self, shards):
        """A stream of this test's own, ACTIVE; its ARN."""
        self.kinesis.create_stream(StreamName=self.name, ShardCount=shards)
        self.kinesis.get_waiter("stream_exists").wait(
            StreamName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{self.name}"

    def create_reading(self, stream_arn, destination):
        """A delivery stream that reads a stream, ACTIVE."""
        source = {"KinesisStreamARN": stream_arn, "RoleARN": ROLE}
        self.create(
            destination,
            DeliveryStreamType="KinesisStreamAsSource",
            KinesisStreamSourceConfiguration=source,
        )

    def wait_until_active(self, name=None):
        def is_active():
            return self.describe(name)["DeliveryStreamStatus"] == "ACTIVE"

        wait_until(is_active, f"{name or self.name} is ACTIVE")

    def describe(self, name=None):
        answer = self.firehose.describe_delivery_stream(DeliveryStreamName=name or self.name)
        return answer["DeliveryStreamDescription"]

    def put(self, *data):
        """Puts records in calls of at most 500."""
        for start in range(0, len(data), 500):
            records = [{"Data": one} for one in data[start : start + 500]]
            answer = self.firehose.put_record_batch(
                DeliveryStreamName=self.name, Records=records
            )
            self.assertEqual(answer["FailedPutCount"], 0)

    def flush(self):
        answer = self.server.page(f"delivery-streams/{self.name}/flush", "POST")
        self.assertEqual(answer, (200, {"delivered": True}))

    def status(self, name=None):
        """The server's own page of the delivery stream."""
        status, page = self.server.page(f"delivery-streams/{name or self.name}")
        self.assertEqual(status, 200, page)
        return page

    def plugin(self, name):
        """The server's own page of a plugin."""
        status, page = self.server.page(f"plugins/{name}")
        self.assertEqual(status, 200, page)
        return page

    def objects(self, prefix=""):
        """(key, content) of the bucket's objects below `prefix`, in order of their keys."""
        root = self.server.data / "s3" / self.bucket
        files = sorted(path for path in root.rglob("*") if path.is_file())
        named = ((path.relative_to(root).as_posix(), path.read_bytes()) for path in files)
        return [(key, content) for key, content in named if key.startswith(prefix)]

    def lines(self, prefix=""):
        """All lines of the objects below `prefix`, unpacked."""
        return [line for _, content in self.objects(prefix) for line in unpacked(content)]

    def letters(self):
        """What is said of each failed record, where all objects are of these."""
        return [json.loads(line) for line in self.lines()]


def unpacked(content):
    """The lines of an object, whether or not it is packed."""
    packed = content.startswith(b"\x1f\x8b")
    return (gzip.decompress(content) if packed else content).splitlines()
