"""DynamoDB's operations by boto3: the same requests here and to DynamoDB Local, answered alike."""

import itertools
import os
import re
import unittest
from decimal import Decimal
from pathlib import Path

import table_requests
from botocore.config import Config
from botocore.exceptions import ClientError
from java_program import listening
from server import Server

SEEDS = [1, 2, 3]
REQUESTS = 400
# Of a table that gets an index, one after the other.
LOOKS_MAX = 5_000


def dynamodb_local():
    """The endpoint of DynamoDB Local, at 127.0.0.1, for as long as it is wanted."""
    libraries = os.environ["DYNAMODB_LOCAL"]
    native = f"-Dsqlite4java.library.path={libraries}"
    return listening("DynamoDbLocal.java", libraries, options=[native])


def plain(value):
    """An answer without what may differ: the order of sets, and how a number is written."""
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(value.get("N"), str):
            return {"N": number(value["N"])}
        if len(value) == 1 and "NS" in value:
            return {"NS": sorted(number(text) for text in value["NS"])}
        if len(value) == 1 and next(iter(value)) in ("SS", "BS"):
            return {kind: sorted(members) for kind, members in value.items()}
        return {name: plain(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return value


def number(text):
    """DynamoDB Local writes some numbers with an exponent, AWS none."""
    return format(Decimal(text).normalize() if Decimal(text) else Decimal(0), "f")


def ask(client, operation, members):
    """What a request is answered: OK and the answer, or a code and what the error holds."""
    try:
        answer = getattr(client, operation)(**members)
    except ClientError as error:
        return error.response["Error"]["Code"], plain(error.response.get("Item"))
    answer.pop("ResponseMetadata")
    # DynamoDB Local gives it with the deletion of nothing, unasked.
    answer.pop("ConsumedCapacity", None)
    answer = plain(answer)
    # Whether a page that ends with the last item names a next one, DynamoDB Local decides by the
    # type of the key. How pages follow each other has a test of its own.
    if "Limit" in members:
        answer.pop("LastEvaluatedKey", None)
    # The order of items of other keys is nowhere promised.
    if operation == "scan" or "IndexName" in members:
        answer.get("Items", []).sort(key=repr)
    return "OK", answer


def all_pages(client, operation, members):
    """The items of all pages, one after the other."""
    items, start = [], {}
    while True:
        page = getattr(client, operation)(**members, **start)
        items += [plain(item) for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            return items
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


class ComparedTests(unittest.TestCase):
    """Two servers with the same tables."""

    @classmethod
    def setUpClass(cls):
        if "DYNAMODB_LOCAL" not in os.environ:
            raise unittest.SkipTest(
                "there is no DynamoDB Local: DYNAMODB_LOCAL names its libraries"
            )
        cls.local = dynamodb_local()
        endpoint = cls.local.__enter__()
        cls.server = Server("--no-throttle")
        options = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
        cls.here = cls.server.dynamodb(config=options)
        cls.there = cls.server.dynamodb(config=options, endpoint=endpoint)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.local.__exit__(None, None, None)

    def test_the_same_requests_are_answered_alike(self):
        for seed in SEEDS:
            for table in table_requests.TABLES:
                for client in (self.here, self.there):
                    client.create_table(**table_requests.definition(table))
            refused = 0
            requests = iter(table_requests.Requests(seed))
            for place, (operation, members) in enumerate(itertools.islice(requests, REQUESTS)):
                with self.subTest(seed=seed, place=place, operation=operation, members=members):
                    answer = ask(self.here, operation, members)
                    self.assertEqual(ask(self.there, operation, members), answer)
                    refused += answer[0] != "OK"
            # Most requests do something, and many are refused.
            self.assertTrue(REQUESTS // 10 < refused < REQUESTS * 3 // 4, refused)
            for table in table_requests.TABLES:
                for client in (self.here, self.there):
                    client.delete_table(TableName=table)

    def test_pages_hold_the_same_items(self):
        definition = table_requests.definition("ranged") | {"TableName": "paged"}
        for client in (self.here, self.there):
            client.create_table(**definition)
            for place in range(60):
                item = {"pk": {"S": f"hash-{place % 3}"}, "sk": {"N": str(place * 7 % 60)}}
                item |= {"owner": {"S": f"w{place % 2}"}, "rank": {"N": str(place)}}
                if place % 5 == 0:
                    item["fill"] = {"S": "x" * 200_000}
                client.put_item(TableName="paged", Item=item)
        condition = {"KeyConditionExpression": "#k = :v", "TableName": "paged"}
        by_hash = {
            "ExpressionAttributeNames": {"#k": "pk"},
            "ExpressionAttributeValues": {":v": {"S": "hash-1"}},
        }
        by_owner = {
            "IndexName": "by-owner",
            "ExpressionAttributeNames": {"#k": "owner"},
            "ExpressionAttributeValues": {":v": {"S": "w1"}},
        }
        for forward, limit, which in itertools.product(
            [True, False], [None, 1, 7, 20], [by_hash, by_owner]
        ):
            members = condition | which | {"ScanIndexForward": forward}
            members |= {"Limit": limit} if limit else {}
            with self.subTest(**members):
                there = all_pages(self.there, "query", members)
                self.assertEqual(len(there), 30 if which is by_owner else 20)
                self.assertEqual(all_pages(self.here, "query", members), there)
        whole = sorted(all_pages(self.there, "scan", {"TableName": "paged"}), key=repr)
        for segments in (1, 2, 5):
            here = []
            for segment in range(segments):
                members = {"TableName": "paged", "TotalSegments": segments, "Segment": segment}
                here += all_pages(self.here, "scan", members | {"Limit": 4})
            self.assertEqual(sorted(here, key=repr), whole)

    def test_the_same_words_are_reserved(self):
        definition = table_requests.definition("hashed") | {"TableName": "words"}
        source = Path(__file__).parents[2] / "host/tables/src/expression/reserved.rs"
        found = re.search(r'WORDS: &str = "(.*?)";', source.read_text(), re.DOTALL)
        words = found.group(1).replace("\\", "").split()
        for client in (self.here, self.there):
            client.create_table(**definition)
        # AWS's page has them; DynamoDB Local does not know them.
        words = sorted(set(words) - {"CONVERT", "SIZE", "TERMINATE", "VARIABLES"})
        self.assertGreater(len(words), 560)
        for word in [*words, "leaseKey", "others2", "ABORTED", "keyed", "counts", "nameless"]:
            members = {
                "TableName": "words",
                "Key": {"pk": {"S": "a"}},
                "ProjectionExpression": word.lower(),
            }
            with self.subTest(word=word):
                there = ask(self.there, "get_item", members)
                self.assertEqual(ask(self.here, "get_item", members), there)

    def wait_for_index(self, client, table):
        """Until a table that gets an index is ACTIVE. DynamoDB Local fails now and then when it is
        asked while it makes one."""
        for _ in range(LOOKS_MAX):
            try:
                if client.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE":
                    return
            except ClientError as error:
                if client is self.here or error.response["Error"]["Code"] != "InternalFailure":
                    raise
        self.fail(f"{table} does not become ACTIVE")

    def test_tables_are_described_alike(self):
        definition = table_requests.definition("ranged") | {"TableName": "described"}
        described = []
        for client in (self.here, self.there):
            client.create_table(**definition)
            client.update_table(
                TableName="described",
                AttributeDefinitions=[{"AttributeName": "late", "AttributeType": "B"}],
                GlobalSecondaryIndexUpdates=[
                    {
                        "Create": {
                            "IndexName": "late",
                            "KeySchema": [{"AttributeName": "late", "KeyType": "HASH"}],
                            "Projection": {"ProjectionType": "ALL"},
                        }
                    }
                ],
            )
            self.wait_for_index(client, "described")
            client.put_item(TableName="described", Item={"pk": {"S": "a"}, "sk": {"N": "1"}})
            table = client.describe_table(TableName="described")["Table"]
            indexes = table["GlobalSecondaryIndexes"]
            described.append(
                {
                    "key": table["KeySchema"],
                    "attributes": sorted(map(repr, table["AttributeDefinitions"])),
                    "billing": table["BillingModeSummary"]["BillingMode"],
                    "count": table["ItemCount"],
                    "protected": table["DeletionProtectionEnabled"],
                    "indexes": sorted(
                        (index["IndexName"], repr(index["KeySchema"]), repr(index["Projection"]))
                        for index in indexes
                    ),
                }
            )
        self.assertEqual(described[1], described[0])


class OwnTests(unittest.TestCase):
    """What DynamoDB Local does not have."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def test_metrics_are_taken_and_shown(self):
        client = self.server.cloudwatch()
        # Larger than ten kilobytes, so that the client compresses it.
        data = [
            {
                "MetricName": f"Waits{place % 3}",
                "Dimensions": [{"Name": "Worker", "Value": "w" * 200}],
                "Value": place,
                "Unit": "Milliseconds",
            }
            for place in range(150)
        ]
        client.put_metric_data(Namespace="tests", MetricData=data)
        sets = {"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 5.5}
        sums = [{"MetricName": "Sums", "StatisticValues": sets}]
        client.put_metric_data(Namespace="tests", MetricData=sums)
        with self.assertRaises(ClientError) as refused:
            client.list_metrics()
        code = refused.exception.response["Error"]["Code"]
        self.assertEqual(code, "UnknownOperationException")
        shown = self.server.metrics()
        self.assertIn('metric="Waits0",dimensions="Worker=' + "w" * 200 + '"} 50\n', shown)
        self.assertRegex(shown, r'cloudwatch_maximum\{[^}]*metric="Sums"[^}]*\} 5.5\n')
        self.assertIn('cloudwatch_left_out_total{account="000000000000"} 0\n', shown)

    def test_what_is_not_here_is_refused_by_its_name(self):
        client = self.server.dynamodb()
        with self.assertRaises(ClientError) as refused:
            client.list_backups()
        error = refused.exception.response["Error"]
        self.assertEqual(error["Code"], "UnknownOperationException")
        self.assertIn("ListBackups", error["Message"])
