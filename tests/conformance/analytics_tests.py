"""boto3 with every operation of Kinesis Data Analytics, in both versions of its model: what is
sent, what comes back, and the errors as exceptions of their own."""

import unittest

from botocore.exceptions import ClientError

from server import ACCOUNT, REGION, Server
from valid_answers import ValidAnswers

ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"
CODE = """
CREATE OR REPLACE STREAM "OUT" ("TICKER" VARCHAR(8), "PRICE" DOUBLE);
CREATE OR REPLACE PUMP "PUMP" AS INSERT INTO "OUT"
SELECT STREAM "TICKER", "PRICE" FROM "SOURCE_001";
"""
SCHEMA = {
    "RecordFormat": {
        "RecordFormatType": "JSON",
        "MappingParameters": {"JSONMappingParameters": {"RecordRowPath": "$"}},
    },
    "RecordEncoding": "UTF-8",
    "RecordColumns": [
        {"Name": "TICKER", "Mapping": "$.ticker", "SqlType": "VARCHAR(8)"},
        {"Name": "PRICE", "Mapping": "$.price", "SqlType": "DOUBLE"},
    ],
}
LOG_STREAM = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:g:log-stream:s"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:plugin"
# Questions until an application is in a state, at most.
QUESTIONS_MAX = 10_000


def stream(name):
    return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"


class Analytics(ValidAnswers):
    """A server with two streams, and a client of one version of the model."""

    has_roles = False

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)
        kinesis = cls.server.kinesis()
        for name in ("ticks", "prices"):
            kinesis.create_stream(StreamName=name, ShardCount=1)
            waiter = kinesis.get_waiter("stream_exists")
            waiter.wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        kinesis.put_record(
            StreamName="ticks", PartitionKey="a", Data=b'{"ticker": "A", "price": 1.5}'
        )

    def setUp(self):
        self.name = self.id().split(".")[-1][:128]
        self.client = self.make_client()

    def resource(self, arn):
        return {"ResourceARN": arn, **({"RoleARN": ROLE} if self.has_roles else {})}

    def ask(self, operation, **members):
        """Calls an operation by its name in the model; its answer, which is as the model says."""
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_")
        answer = getattr(self.client, snake)(**members)
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 200)
        self.assert_valid(operation, answer)
        return answer

    def change(self, operation, **members):
        detail = self.detail()
        version = detail["ApplicationVersionId"]
        members = {"ApplicationName": self.name, **members}
        answer = self.ask(operation, CurrentApplicationVersionId=version, **members)
        self.assertEqual(self.detail()["ApplicationVersionId"], version + 1)
        return answer

    def fails(self, code, operation, **members):
        with self.assertRaises(ClientError) as raised:
            self.ask(operation, **members)
        self.assertIsInstance(raised.exception, getattr(self.client.exceptions, code))
        self.assertTrue(raised.exception.response["Error"]["Message"])

    def detail(self):
        return self.ask("DescribeApplication", ApplicationName=self.name)["ApplicationDetail"]

    def until(self, status):
        for _ in range(QUESTIONS_MAX):
            if self.detail()["ApplicationStatus"] == status:
                return
        self.fail(f"the application does not become {status}")

    def arn(self):
        return f"arn:aws:kinesisanalytics:{REGION}:{ACCOUNT}:application/{self.name}"

    def parts(self):
        """What an input, an output and reference data are in this version."""
        source = {
            "NamePrefix": "SOURCE",
            "KinesisStreamsInput": self.resource(stream("ticks")),
            "InputSchema": SCHEMA,
        }
        target = {
            "Name": "OUT",
            "KinesisStreamsOutput": self.resource(stream("prices")),
            "DestinationSchema": {"RecordFormatType": "JSON"},
        }
        roles = {"ReferenceRoleARN": ROLE} if self.has_roles else {}
        reference = {
            "TableName": "FACTS",
            "S3ReferenceDataSource": {
                "BucketARN": "arn:aws:s3:::facts", "FileKey": "a.json", **roles,
            },
            "ReferenceSchema": SCHEMA,
        }
        return source, target, reference

    def test_an_application_is_made_piece_by_piece_works_and_is_deleted(self):
        source, target, reference = self.parts()
        self.create()
        roles = {"RoleARN": ROLE} if self.has_roles else {}
        logging = {"LogStreamARN": LOG_STREAM, **roles}
        self.change("AddApplicationInput", Input=source)
        self.change("AddApplicationOutput", Output=target)
        self.change("AddApplicationReferenceDataSource", ReferenceDataSource=reference)
        self.change("AddApplicationCloudWatchLoggingOption", CloudWatchLoggingOption=logging)
        processing = {"InputLambdaProcessor": self.resource(FUNCTION)}
        self.change(
            "AddApplicationInputProcessingConfiguration",
            InputId="2.1",
            InputProcessingConfiguration=processing,
        )
        self.change("UpdateApplication", **self.new_code(CODE))
        self.change("DeleteApplicationInputProcessingConfiguration", InputId="2.1")
        self.change("DeleteApplicationReferenceDataSource", ReferenceId="4.1")
        self.change(
            "DeleteApplicationCloudWatchLoggingOption", CloudWatchLoggingOptionId="5.1"
        )
        self.ask("StartApplication", ApplicationName=self.name, **self.starting("2.1"))
        self.until("RUNNING")
        self.ask("StopApplication", ApplicationName=self.name)
        self.until("READY")
        self.change("DeleteApplicationOutput", OutputId="3.1")
        created_at = self.detail()["CreateTimestamp"]
        self.ask(
            "DeleteApplication", ApplicationName=self.name, CreateTimestamp=created_at
        )
        for _ in range(QUESTIONS_MAX):
            names = self.ask("ListApplications")["ApplicationSummaries"]
            if self.name not in [summary["ApplicationName"] for summary in names]:
                return
        self.fail("the application does not go")

    def test_labels_are_given_told_and_taken(self):
        self.create()
        tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
        self.ask("TagResource", ResourceARN=self.arn(), Tags=tags)
        told = self.ask("ListTagsForResource", ResourceARN=self.arn())
        self.assertEqual(told["Tags"], tags)
        self.ask("UntagResource", ResourceARN=self.arn(), TagKeys=["a"])
        told = self.ask("ListTagsForResource", ResourceARN=self.arn())
        self.assertEqual(told["Tags"], tags[1:])
        many = [{"Key": f"k{number}", "Value": ""} for number in range(51)]
        code = "TooManyTagsException"
        self.fails(code, "TagResource", ResourceARN=self.arn(), Tags=many)

    def test_a_schema_is_found_in_a_stream(self):
        role = {"RoleARN": ROLE} if self.has_roles else {"ServiceExecutionRole": ROLE}
        position = {"InputStartingPosition": "TRIM_HORIZON"}
        answer = self.ask(
            "DiscoverInputSchema",
            ResourceARN=stream("ticks"),
            InputStartingPositionConfiguration=position,
            **role,
        )
        columns = answer["InputSchema"]["RecordColumns"]
        self.assertEqual([column["Mapping"] for column in columns], ["$.ticker", "$.price"])
        code = "UnableToDetectSchemaException"
        self.fails(code, "DiscoverInputSchema", ResourceARN=stream("prices"), **role)

    def test_errors_are_exceptions_of_their_own(self):
        name = {"ApplicationName": self.name}
        self.fails("ResourceNotFoundException", "DescribeApplication", **name)
        self.create()
        self.fails("ResourceInUseException", "StopApplication", **name)
        source, target, _ = self.parts()
        source["KinesisStreamsInput"] = self.resource(stream("none"))
        at = {**name, "CurrentApplicationVersionId": 1}
        self.fails("InvalidArgumentException", "AddApplicationInput", **at, Input=source)
        at["CurrentApplicationVersionId"] = 7
        code = "ConcurrentModificationException"
        self.fails(code, "AddApplicationOutput", **at, Output=target)
        code = "InvalidApplicationConfigurationException"
        self.fails(code, "StartApplication", **name, **self.starting())
        self.change("AddApplicationInput", Input=self.parts()[0])
        at["CurrentApplicationVersionId"] = 2
        code = "CodeValidationException"
        self.fails(code, "UpdateApplication", **at, **self.new_code("SELEKT"))


class Version1(Analytics, unittest.TestCase):
    service = "kinesisanalytics"
    has_roles = True

    def make_client(self):
        return self.server.analytics()

    def create(self):
        answer = self.ask("CreateApplication", ApplicationName=self.name)
        self.assertEqual(answer["ApplicationSummary"]["ApplicationARN"], self.arn())

    def new_code(self, code):
        return {"ApplicationUpdate": {"ApplicationCodeUpdate": code}}

    def starting(self, *inputs):
        position = {"InputStartingPosition": "NOW"}
        configurations = [
            {"Id": name, "InputStartingPositionConfiguration": position} for name in inputs
        ]
        return {"InputConfigurations": configurations}


class Version2(Analytics, unittest.TestCase):
    service = "kinesisanalyticsv2"

    def make_client(self):
        return self.server.analytics_v2()

    def create(self):
        answer = self.ask(
            "CreateApplication",
            ApplicationName=self.name,
            RuntimeEnvironment="SQL-1_0",
            ServiceExecutionRole=ROLE,
        )
        self.assertEqual(answer["ApplicationDetail"]["ApplicationARN"], self.arn())

    def new_code(self, code):
        content = {"CodeContentUpdate": {"TextContentUpdate": code}}
        return {
            "ApplicationConfigurationUpdate": {"ApplicationCodeConfigurationUpdate": content},
        }

    def starting(self, *inputs):
        position = {"InputStartingPosition": "NOW"}
        configurations = [
            {"InputId": name, "InputStartingPositionConfiguration": position}
            for name in inputs
        ]
        return {"RunConfiguration": {"SqlRunConfigurations": configurations}}

    def test_versions_and_operations_are_told_and_a_change_is_undone(self):
        self.create()
        name = {"ApplicationName": self.name}
        self.change("AddApplicationInput", Input=self.parts()[0])
        self.change("UpdateApplication", **self.new_code(CODE))
        self.ask("StartApplication", **name, **self.starting("2.1"))
        self.until("RUNNING")
        self.change("UpdateApplication", **self.new_code(CODE + "\n"))
        self.until("RUNNING")
        answer = self.change("RollbackApplication")
        self.assertEqual(answer["ApplicationDetail"]["ApplicationVersionRolledBackTo"], 3)
        listed = self.ask("ListApplicationVersions", **name)["ApplicationVersionSummaries"]
        versions = [version["ApplicationVersionId"] for version in listed]
        self.assertEqual(versions, [5, 4, 3, 2, 1])
        old = self.ask("DescribeApplicationVersion", **name, ApplicationVersionId=2)
        self.assertEqual(old["ApplicationVersionDetail"]["ApplicationVersionId"], 2)
        done = self.ask("ListApplicationOperations", **name)["ApplicationOperationInfoList"]
        self.assertEqual(done[0]["Operation"], "RollbackApplication")
        operation = {"OperationId": done[0]["OperationId"]}
        told = self.ask("DescribeApplicationOperation", **name, **operation)
        details = told["ApplicationOperationInfoDetails"]
        self.assertEqual(details["OperationStatus"], "SUCCESSFUL")
        self.assertEqual(self.ask("ListApplicationSnapshots", **name)["SnapshotSummaries"], [])

    def test_snapshots_are_for_applications_of_flink(self):
        self.create()
        named = {"ApplicationName": self.name, "SnapshotName": "s"}
        code = "UnsupportedOperationException"
        self.fails(code, "CreateApplicationSnapshot", **named)
        self.fails("ResourceNotFoundException", "DescribeApplicationSnapshot", **named)
        at = {"SnapshotCreationTimestamp": 1}
        self.fails("ResourceNotFoundException", "DeleteApplicationSnapshot", **named, **at)


if __name__ == "__main__":
    unittest.main()
