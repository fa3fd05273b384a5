"""Documents come into indexes of real nodes, of OpenSearch and of the last Elasticsearch of
Apache-2.0: each once, and those that a node refuses into the error output."""

import base64
import json
import tempfile
import unittest

from deliveries import ROLE, Deliveries, wait_until
from search_node import ELASTICSEARCH, OPENSEARCH, SearchNode
from server import Server


class Nodes(Deliveries):
    """A node, and a server that may call it."""

    @classmethod
    def setUpClass(cls):
        cls.node = SearchNode(cls.software)
        cls.addClassCleanup(cls.node.close)
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
            config.write(f'[egress]\nallow = ["{cls.node.address}"]\n')
            config.flush()
            cls.server = Server("--no-throttle", "--config", config.name)
        cls.addClassCleanup(cls.server.stop)
        cls.firehose = cls.server.firehose()

    def destination(self, **members):
        return {
            "RoleARN": ROLE,
            "ClusterEndpoint": self.node.url,
            "IndexName": self.name.lower(),
            "IndexRotationPeriod": "NoRotation",
            "BufferingHints": {"SizeInMBs": 100, "IntervalInSeconds": 900},
            "RetryOptions": {"DurationInSeconds": 60},
            "S3BackupMode": "FailedDocumentsOnly",
            "S3Configuration": {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{self.bucket}"},
            "CloudWatchLoggingOptions": {
                "Enabled": True, "LogGroupName": "g", "LogStreamName": "s",
            },
            "DocumentIdOptions": {"DefaultDocumentIdFormat": "FIREHOSE_DEFAULT"},
            **members,
        }

    def make(self, **members):
        answer = self.firehose.create_delivery_stream(
            DeliveryStreamName=self.name,
            **{f"{self.kind}DestinationConfiguration": self.destination(**members)},
        )
        self.assert_valid("CreateDeliveryStream", answer)
        self.wait_until_active()

    def put(self, *records):
        records = [{"Data": record} for record in records]
        self.firehose.put_record_batch(DeliveryStreamName=self.name, Records=records)
        self.flush()

    def test_documents_are_there_and_those_that_do_not_fit_in_the_error_output(self):
        self.make()
        bad = [b'{"number":"text"}', b"no json", b'{"number":\n3}']
        self.put(b'{"number":1}', bad[0], b'{"number":2}\n', bad[1], bad[2])
        index = self.name.lower()
        found = self.node.found(index)
        self.assertEqual(sorted(it["number"] for it in found.values()), [1, 2])
        letters = self.letters()
        self.assertEqual(
            sorted(base64.b64decode(letter["rawData"]) for letter in letters), sorted(bad),
        )
        [refused] = [letter for letter in letters if letter["errorCode"] == "400"]
        self.assertIn("mapper_parsing_exception", refused["errorMessage"])
        self.assertEqual(refused["esIndexName"], index)
        self.assertNotIn(refused["esDocumentId"], found)
        for key, _ in self.objects():
            self.assertTrue(key.startswith(self.below), key)

    def test_documents_may_be_given_ids_by_the_node(self):
        self.make(
            DocumentIdOptions={"DefaultDocumentIdFormat": "NO_DOCUMENT_ID"},
            IndexRotationPeriod="OneMonth",
        )
        self.put(b'{"a":1}', b'{"a":1}')
        found = self.node.found(self.name.lower() + "-*")
        self.assertEqual(list(found.values()), [{"a": 1}, {"a": 1}])

    def test_an_index_that_is_blocked_pauses_the_delivery(self):
        self.make(BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 0})
        index = self.name.lower()
        self.node.ask(f"/{index}", {"settings": {"index.blocks.write": True}}, "PUT")
        self.firehose.put_record(DeliveryStreamName=self.name, Record={"Data": b'{"a":1}'})

        def is_told():
            return "cluster_block_exception" in (self.status()["trouble"] or "")

        wait_until(is_told, "the block is told")
        settings = {"index.blocks.write": False}
        self.node.ask(f"/{index}/_settings", settings, "PUT")
        self.flush()
        self.assertEqual(list(self.node.found(index).values()), [{"a": 1}])
        self.assertEqual(self.objects(), [])

    def test_it_is_described_as_it_was_made_and_changed_member_by_member(self):
        self.make()
        self.firehose.update_destination(
            DeliveryStreamName=self.name,
            CurrentDeliveryStreamVersionId="1",
            DestinationId="destinationId-000000000001",
            **{f"{self.kind}DestinationUpdate": {"IndexRotationPeriod": "OneHour"}},
        )
        answer = self.firehose.describe_delivery_stream(DeliveryStreamName=self.name)
        self.assert_valid("DescribeDeliveryStream", answer)
        [destination] = answer["DeliveryStreamDescription"]["Destinations"]
        described = destination[f"{self.kind}DestinationDescription"]
        wanted = self.destination(IndexRotationPeriod="OneHour")
        s3 = described.pop("S3DestinationDescription")
        self.assertLessEqual(wanted.pop("S3Configuration").items(), s3.items())
        self.assertEqual(described, wanted)


class OpenSearch(Nodes, unittest.TestCase):
    """2.19.6."""

    software = OPENSEARCH
    kind, below = "Amazonopensearchservice", "AmazonOpenSearchService-failed/"


class Elasticsearch(Nodes, unittest.TestCase):
    """7.10.2, which has types of documents still."""

    software = ELASTICSEARCH
    kind, below = "Elasticsearch", "elasticsearch-failed/"

    def test_a_document_may_have_a_type(self):
        self.make(TypeName="line")
        self.put(b'{"a":1}')
        hits = self.node.hits(self.name.lower())
        self.assertEqual([hit["_type"] for hit in hits], ["line"])


if __name__ == "__main__":
    unittest.main()
