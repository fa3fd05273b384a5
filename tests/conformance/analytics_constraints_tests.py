"""Every constraint of the public service models of Kinesis Data Analytics, in both versions, for
the operations that are served; what is for applications of Flink is refused by name."""

import unittest

from constraint_checks import ConstraintChecks, add_tests
from model_cases import Service
from server import ACCOUNT, REGION, Server, model

ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/none"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:none"
DELIVERY_STREAM = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/none"
APPLICATION = f"arn:aws:kinesisanalytics:{REGION}:{ACCOUNT}:application/none"
LOG_STREAM = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:g:log-stream:s"
BUCKET = "arn:aws:s3:::bucket"
# The applications named here do not exist.
NAME = {"ApplicationName": "no-such-application"}
AT_VERSION = {**NAME, "CurrentApplicationVersionId": 1}
TAGS = [{"Key": "key", "Value": "value"}]
FORMAT = {
    "RecordFormatType": "JSON",
    # One of each kind, which is one too many, but breaks no constraint.
    "MappingParameters": {
        "JSONMappingParameters": {"RecordRowPath": "$"},
        "CSVMappingParameters": {"RecordRowDelimiter": "n", "RecordColumnDelimiter": ","},
    },
}
COLUMNS = [{"Name": "A", "Mapping": "$.a", "SqlType": "INTEGER"}]
SCHEMA = {"RecordFormat": FORMAT, "RecordEncoding": "UTF-8", "RecordColumns": COLUMNS}
SCHEMA_UPDATE = {
    "RecordFormatUpdate": FORMAT,
    "RecordEncodingUpdate": "UTF-8",
    "RecordColumnUpdates": COLUMNS,
}
DESTINATION = {"RecordFormatType": "JSON"}
POSITION = {"InputStartingPosition": "NOW"}

# What is not served, and how it is asked for. Nothing is said of what it holds.
LEFT_OUT_BEFORE = {
    "KinesisFirehoseInput": "refused by name",
    "KinesisFirehoseInputUpdate": "refused by name",
}
LEFT_OUT_OF_DISCOVERY = {**LEFT_OUT_BEFORE, "InputProcessingConfiguration": "refused by name"}
FLINK_ONLY = [
    "FlinkApplicationConfiguration",
    "EnvironmentProperties",
    "ApplicationSnapshotConfiguration",
    "ApplicationSystemRollbackConfiguration",
    "VpcConfigurations",
    "ZeppelinApplicationConfiguration",
    "ApplicationEncryptionConfiguration",
    "FlinkApplicationConfigurationUpdate",
    "EnvironmentPropertyUpdates",
    "ApplicationSnapshotConfigurationUpdate",
    "ApplicationSystemRollbackConfigurationUpdate",
    "VpcConfigurationUpdates",
    "ZeppelinApplicationConfigurationUpdate",
    "ApplicationEncryptionConfigurationUpdate",
    "FlinkRunConfiguration",
    "ApplicationRestoreConfiguration",
    "RunConfigurationUpdate",
    "ZipFileContent",
    "S3ContentLocation",
    "ZipFileContentUpdate",
    "S3ContentLocationUpdate",
]
LEFT_OUT = {**LEFT_OUT_BEFORE, **{name: "for applications of Flink" for name in FLINK_ONLY}}


class Shapes:
    """The parts of applications as one version of the model has them."""

    def __init__(self, has_roles):
        self.has_roles = has_roles

    def resource(self, arn):
        return {"ResourceARN": arn, **({"RoleARN": ROLE} if self.has_roles else {})}

    def resource_update(self, arn):
        roles = {"RoleARNUpdate": ROLE} if self.has_roles else {}
        return {"ResourceARNUpdate": arn, **roles}

    def processing(self):
        return {"InputLambdaProcessor": self.resource(FUNCTION)}

    def input(self):
        return {
            "NamePrefix": "SOURCE",
            "InputProcessingConfiguration": self.processing(),
            "KinesisStreamsInput": self.resource(STREAM),
            "InputParallelism": {"Count": 1},
            "InputSchema": SCHEMA,
        }

    def input_update(self):
        function = {"InputLambdaProcessorUpdate": self.resource_update(FUNCTION)}
        return {
            "InputId": "1.1",
            "NamePrefixUpdate": "SOURCE",
            "InputProcessingConfigurationUpdate": function,
            "KinesisStreamsInputUpdate": self.resource_update(STREAM),
            "InputSchemaUpdate": SCHEMA_UPDATE,
            "InputParallelismUpdate": {"CountUpdate": 1},
        }

    def output(self):
        return {
            "Name": "OUT",
            "KinesisStreamsOutput": self.resource(STREAM),
            "KinesisFirehoseOutput": self.resource(DELIVERY_STREAM),
            "LambdaOutput": self.resource(FUNCTION),
            "DestinationSchema": DESTINATION,
        }

    def output_update(self):
        return {
            "OutputId": "1.1",
            "NameUpdate": "OUT",
            "KinesisStreamsOutputUpdate": self.resource_update(STREAM),
            "KinesisFirehoseOutputUpdate": self.resource_update(DELIVERY_STREAM),
            "LambdaOutputUpdate": self.resource_update(FUNCTION),
            "DestinationSchemaUpdate": DESTINATION,
        }

    def reference(self):
        roles = {"ReferenceRoleARN": ROLE} if self.has_roles else {}
        return {
            "TableName": "FACTS",
            "S3ReferenceDataSource": {"BucketARN": BUCKET, "FileKey": "a.csv", **roles},
            "ReferenceSchema": SCHEMA,
        }

    def reference_update(self):
        roles = {"ReferenceRoleARNUpdate": ROLE} if self.has_roles else {}
        source = {"BucketARNUpdate": BUCKET, "FileKeyUpdate": "a.csv", **roles}
        return {
            "ReferenceId": "1.1",
            "TableNameUpdate": "FACTS",
            "S3ReferenceDataSourceUpdate": source,
            "ReferenceSchemaUpdate": SCHEMA,
        }

    def logging(self):
        return {"LogStreamARN": LOG_STREAM, **({"RoleARN": ROLE} if self.has_roles else {})}

    def logging_update(self):
        roles = {"RoleARNUpdate": ROLE} if self.has_roles else {}
        return {
            "CloudWatchLoggingOptionId": "1.1", "LogStreamARNUpdate": LOG_STREAM, **roles,
        }

    def parts_update(self):
        return {
            "InputUpdates": [self.input_update()],
            "OutputUpdates": [self.output_update()],
            "ReferenceDataSourceUpdates": [self.reference_update()],
        }

    def changes(self):
        """What the versions have in common but for the roles."""
        return {
            "AddApplicationCloudWatchLoggingOption": {
                **AT_VERSION, "CloudWatchLoggingOption": self.logging(),
            },
            "AddApplicationInput": {**AT_VERSION, "Input": self.input()},
            "AddApplicationInputProcessingConfiguration": {
                **AT_VERSION,
                "InputId": "1.1",
                "InputProcessingConfiguration": self.processing(),
            },
            "AddApplicationOutput": {**AT_VERSION, "Output": self.output()},
            "AddApplicationReferenceDataSource": {
                **AT_VERSION, "ReferenceDataSource": self.reference(),
            },
            "DeleteApplication": {**NAME, "CreateTimestamp": 1},
            "DeleteApplicationCloudWatchLoggingOption": {
                **AT_VERSION, "CloudWatchLoggingOptionId": "1.1",
            },
            "DeleteApplicationInputProcessingConfiguration": {**AT_VERSION, "InputId": "1.1"},
            "DeleteApplicationOutput": {**AT_VERSION, "OutputId": "1.1"},
            "DeleteApplicationReferenceDataSource": {**AT_VERSION, "ReferenceId": "1.1"},
            "DescribeApplication": NAME,
            "ListTagsForResource": {"ResourceARN": APPLICATION},
            "StopApplication": NAME,
            "TagResource": {"ResourceARN": APPLICATION, "Tags": TAGS},
            "UntagResource": {"ResourceARN": APPLICATION, "TagKeys": ["key"]},
        }


ONE, TWO = Shapes(has_roles=True), Shapes(has_roles=False)
TOKEN = {"ConditionalToken": "token"}
AN_OBJECT = {"BucketARN": BUCKET, "FileKey": "a.csv"}
DISCOVERY = {"ResourceARN": STREAM, "InputStartingPositionConfiguration": POSITION}

VERSION_1 = Service(
    "kinesisanalytics",
    valid={
        **ONE.changes(),
        "CreateApplication": {
            **NAME,
            "ApplicationDescription": "what it is for",
            "Inputs": [ONE.input()],
            "Outputs": [ONE.output()],
            "CloudWatchLoggingOptions": [ONE.logging()],
            "ApplicationCode": "SELECT",
            "Tags": TAGS,
        },
        "ListApplications": {"Limit": 1, "ExclusiveStartApplicationName": "a"},
        "StartApplication": {
            **NAME,
            "InputConfigurations": [
                {"Id": "1.1", "InputStartingPositionConfiguration": POSITION},
            ],
        },
        "UpdateApplication": {
            **AT_VERSION,
            "ApplicationUpdate": {
                **ONE.parts_update(),
                "ApplicationCodeUpdate": "SELECT",
                "CloudWatchLoggingOptionUpdates": [ONE.logging_update()],
            },
        },
    },
    left_out=LEFT_OUT,
)
DISCOVERY_1 = Service(
    "kinesisanalytics",
    valid={
        "DiscoverInputSchema": {
            **DISCOVERY, "RoleARN": ROLE, "S3Configuration": {**AN_OBJECT, "RoleARN": ROLE},
        },
    },
    left_out=LEFT_OUT_OF_DISCOVERY,
)
VERSION_2 = Service(
    "kinesisanalyticsv2",
    valid={
        **TWO.changes(),
        "AddApplicationCloudWatchLoggingOption": {
            **AT_VERSION, "CloudWatchLoggingOption": TWO.logging(), **TOKEN,
        },
        "CreateApplication": {
            **NAME,
            "ApplicationDescription": "what it is for",
            "RuntimeEnvironment": "SQL-1_0",
            "ServiceExecutionRole": ROLE,
            "ApplicationConfiguration": {
                "SqlApplicationConfiguration": {
                    "Inputs": [TWO.input()],
                    "Outputs": [TWO.output()],
                    "ReferenceDataSources": [TWO.reference()],
                },
                "ApplicationCodeConfiguration": {
                    "CodeContent": {"TextContent": "SELECT"}, "CodeContentType": "PLAINTEXT",
                },
            },
            "CloudWatchLoggingOptions": [TWO.logging()],
            "Tags": TAGS,
            "ApplicationMode": "STREAMING",
        },
        "CreateApplicationSnapshot": {**NAME, "SnapshotName": "s"},
        "DeleteApplicationCloudWatchLoggingOption": {
            **AT_VERSION, "CloudWatchLoggingOptionId": "1.1", **TOKEN,
        },
        "DeleteApplicationSnapshot": {
            **NAME, "SnapshotName": "s", "SnapshotCreationTimestamp": 1,
        },
        "DescribeApplication": {**NAME, "IncludeAdditionalDetails": True},
        "DescribeApplicationOperation": {**NAME, "OperationId": "o"},
        "DescribeApplicationSnapshot": {**NAME, "SnapshotName": "s"},
        "DescribeApplicationVersion": {**NAME, "ApplicationVersionId": 1},
        "ListApplicationOperations": {
            **NAME, "Limit": 1, "NextToken": "1", "Operation": "o", "OperationStatus": "FAILED",
        },
        "ListApplicationSnapshots": {**NAME, "Limit": 1, "NextToken": "1"},
        "ListApplicationVersions": {**NAME, "Limit": 1, "NextToken": "1"},
        "ListApplications": {"Limit": 1, "NextToken": "a"},
        "RollbackApplication": AT_VERSION,
        "StartApplication": {
            **NAME,
            "RunConfiguration": {"SqlRunConfigurations": [
                {"InputId": "1.1", "InputStartingPositionConfiguration": POSITION},
            ]},
        },
        "StopApplication": {**NAME, "Force": False},
        "UpdateApplication": {
            **AT_VERSION,
            "ApplicationConfigurationUpdate": {
                "SqlApplicationConfigurationUpdate": TWO.parts_update(),
                "ApplicationCodeConfigurationUpdate": {
                    "CodeContentTypeUpdate": "PLAINTEXT",
                    "CodeContentUpdate": {"TextContentUpdate": "SELECT"},
                },
            },
            "ServiceExecutionRoleUpdate": ROLE,
            "CloudWatchLoggingOptionUpdates": [TWO.logging_update()],
            **TOKEN,
            "RuntimeEnvironmentUpdate": "SQL-1_0",
        },
    },
    left_out=LEFT_OUT,
)
DISCOVERY_2 = Service(
    "kinesisanalyticsv2",
    valid={
        "DiscoverInputSchema": {
            **DISCOVERY, "ServiceExecutionRole": ROLE, "S3Configuration": AN_OBJECT,
        },
    },
    left_out=LEFT_OUT_OF_DISCOVERY,
)


class Constraints(ConstraintChecks):
    """Filled from a model below."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)


class Version1(Constraints, unittest.TestCase):
    service = VERSION_1

    def test_all_operations_of_the_model_are_tried(self):
        tried = {*VERSION_1.valid, *DISCOVERY_1.valid}
        self.assertEqual(tried, set(model("kinesisanalytics").operation_names))


class Discovery1(Constraints, unittest.TestCase):
    service = DISCOVERY_1


class Version2(Constraints, unittest.TestCase):
    service = VERSION_2

    def test_all_operations_of_the_model_are_tried_or_refused_by_name(self):
        tried = {*VERSION_2.valid, *DISCOVERY_2.valid}
        for operation in set(model("kinesisanalyticsv2").operation_names) - tried:
            with self.subTest(operation):
                text = self.refused(operation, {}, "UnsupportedOperationException")
                self.assertIn(operation, text)


class Discovery2(Constraints, unittest.TestCase):
    service = DISCOVERY_2


for tests in (Version1, Discovery1, Version2, Discovery2):
    add_tests(tests)


if __name__ == "__main__":
    unittest.main()
