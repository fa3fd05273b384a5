"""A server of each kind that delivery streams deliver to, with the delivery stream that ends there,
what it refuses, and what is there in the end. Each can go away in the middle of what it does, and
come back with what it has kept."""

import base64
import io
import json
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from deliveries import ROLE
from doubles import BEFORE_THE_ANSWER, HALF_THE_BODY
from event_collector import TOKEN, EventCollector
from glue import glue_answer, rows_of
from http_endpoint import ACCESS_KEY, Endpoint, message
from postgres import PASSWORD, USER, Postgres
from producer import NEGATIVE, NO_EVENT, NO_JSON, NO_NUMBER, NO_REGION, encoded
from relays import DatabaseRelay, HttpRelay
from s3_server import S3Server
from search_node import OPENSEARCH, SearchNode

AT_ONCE = {"SizeInMBs": 1, "IntervalInSeconds": 0}
# Longer than any server is away: no record fails for that.
RETRY = {"DurationInSeconds": 7200}
DOCUMENTS_MAX = 100_000


class Destination:
    """Its name is that of its delivery stream and of the bucket with the error output."""

    # The kinds of records that fail there, and the prefix of the error output.
    refused, errors_below = (), ""
    # Where requests to it can be held.
    holds = (BEFORE_THE_ANSWER,)

    def __init__(self, double):
        self.double = double

    def go_away(self):
        self.double.go_away()

    def come_back(self):
        self.double.come_back()

    def close(self):
        self.double.stop()

    def bucket(self):
        return {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{self.name}"}


class Relayed(Destination):
    """A real server behind a relay."""

    holds = (HALF_THE_BODY, BEFORE_THE_ANSWER)

    def __init__(self, server, relay):
        super().__init__(relay(server.address))
        self.server = server

    def go_away(self):
        super().go_away()
        self.server.kill()

    def come_back(self):
        self.server.start()
        self.double.to = self.server.address
        super().come_back()

    def close(self):
        super().close()
        self.server.close()


class Rows(Relayed):
    """Objects of rows below prefixes with keys of records, and those of all error outputs."""

    name, kind = "rows", "ExtendedS3"
    refused, errors_below = (NO_JSON, NO_NUMBER, NO_REGION), "failed/"

    def __init__(self):
        super().__init__(S3Server(), HttpRelay)
        self.tables = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        columns = {"name": "string", "number": "int", "region": "string", "event": "string"}
        database = Path(self.tables.name, "shop")
        database.mkdir()
        (database / "clicks.json").write_text(glue_answer(columns))

    def configuration(self):
        query = [
            {"ParameterName": "MetadataExtractionQuery", "ParameterValue": "{region: .region}"},
            {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"},
        ]
        processor = {"Type": "MetadataExtraction", "Parameters": query}
        return {
            **self.bucket(),
            "Prefix": "rows/region=!{partitionKeyFromQuery:region}/",
            "ErrorOutputPrefix": self.errors_below + "!{firehose:error-output-type}/",
            "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 2},
            "DynamicPartitioningConfiguration": {"Enabled": True},
            "ProcessingConfiguration": {"Enabled": True, "Processors": [processor]},
            "DataFormatConversionConfiguration": rows_of("shop", "clicks"),
        }

    def close(self):
        super().close()
        self.tables.cleanup()

    def found(self):
        for key, content in self.server.objects(self.name, "rows/"):
            for row in pq.read_table(io.BytesIO(content)).to_pylist():
                if not key.startswith(f"rows/region={row['region']}/"):
                    raise AssertionError(f"{row} is in {key}")
                yield encoded(row)

    def failed_of(self, destination):
        """The data of the records in the error output of a destination."""
        for _, content in self.server.objects(destination.name, destination.errors_below):
            letters = map(json.loads, content.splitlines())
            yield from (base64.b64decode(letter["rawData"]) for letter in letters)


class Documents(Relayed):
    """An index of OpenSearch."""

    name, kind = "documents", "Amazonopensearchservice"
    refused = (NO_JSON, NO_NUMBER)

    def __init__(self):
        super().__init__(SearchNode(OPENSEARCH), HttpRelay)
        index = {
            "settings": {"index.max_result_window": DOCUMENTS_MAX, "number_of_replicas": 0},
            "mappings": {"properties": {"number": {"type": "integer"}}},
        }
        self.server.ask(f"/{self.name}", index, "PUT")

    def configuration(self):
        return {
            "RoleARN": ROLE,
            "ClusterEndpoint": f"http://{self.double.address}",
            "IndexName": self.name,
            "IndexRotationPeriod": "NoRotation",
            "BufferingHints": AT_ONCE,
            "RetryOptions": RETRY,
            "S3Configuration": self.bucket(),
        }

    def found(self):
        return map(encoded, self.server.found(self.name, DOCUMENTS_MAX).values())


class Events(Destination):
    """A double of Splunk."""

    name, kind = "events", "Splunk"
    refused = (NO_JSON, NO_EVENT)

    def __init__(self):
        super().__init__(EventCollector())

    def configuration(self):
        return {
            "HECEndpoint": self.double.url,
            "HECEndpointType": "Event",
            "HECToken": TOKEN,
            "HECAcknowledgmentTimeoutInSeconds": 180,
            "BufferingHints": AT_ONCE,
            "RetryOptions": RETRY,
            "ProcessingConfiguration": {
                "Enabled": True, "Processors": [{"Type": "AppendDelimiterToRecord"}],
            },
            "S3Configuration": self.bucket(),
        }

    def found(self):
        """Those of all requests. One that is sent again has the same body, on another channel."""
        channels = [channel for channel, _ in self.double.taken]
        if len(set(channels)) < len(channels):
            raise AssertionError("a channel is used twice")
        bodies = {body for _, body in self.double.taken}
        return [line for body in bodies for line in body.splitlines()]

    def repeated(self):
        return len(self.double.taken) - len({body for _, body in self.double.taken})


class Requests(Destination):
    """An HTTP endpoint."""

    name, kind = "requests", "HttpEndpoint"

    def __init__(self):
        super().__init__(Endpoint())

    def configuration(self):
        return {
            "EndpointConfiguration": {"Url": self.double.url, "AccessKey": ACCESS_KEY},
            "RequestConfiguration": {"ContentEncoding": "GZIP"},
            "BufferingHints": AT_ONCE,
            "RetryOptions": RETRY,
            "RoleARN": ROLE,
            "S3Configuration": self.bucket(),
        }

    def by_id(self):
        """The requests by their ids. One that is sent again has the same id and the same body."""
        requests = {}
        for headers, body in self.double.taken:
            request = headers["x-amz-firehose-request-id"]
            if requests.setdefault(request, (headers, body))[1] != body:
                raise AssertionError(f"{request} has several bodies")
        return requests

    def found(self):
        for headers, body in self.by_id().values():
            for record in message(headers, body)["records"]:
                yield base64.b64decode(record["data"], validate=True)

    def repeated(self):
        return len(self.double.taken) - len(self.by_id())


class Table(Relayed):
    """A table of PostgreSQL."""

    name, kind = "entries", "Redshift"
    refused = (NO_JSON, NO_NUMBER, NEGATIVE)

    def __init__(self):
        super().__init__(Postgres(), DatabaseRelay)
        columns = "name text, number int CHECK (number >= 0), region text, event text"
        self.server.run(f"CREATE TABLE {self.name} ({columns})")

    def configuration(self):
        return {
            "RoleARN": ROLE,
            "ClusterJDBCURL": self.server.url(address=self.double.address),
            "CopyCommand": {"DataTableName": self.name, "CopyOptions": "JSON 'auto'"},
            "Username": USER,
            "Password": PASSWORD,
            "RetryOptions": RETRY,
            "S3Configuration": {**self.bucket(), "BufferingHints": AT_ONCE},
        }

    def found(self):
        rows = f"SELECT json_strip_nulls(row_to_json({self.name})) FROM {self.name}"
        return [encoded(json.loads(row)) for row in self.server.run(rows)]
