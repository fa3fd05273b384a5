"""Every constraint of the public service model of Data Firehose, for the operations and
destinations that are served; and what is not served is refused by name, not taken and ignored."""

import base64
import unittest

from constraint_checks import ConstraintChecks, add_tests
from model_cases import Service, put
from server import ACCOUNT, REGION, Server

ROLE = f"arn:aws:iam::{ACCOUNT}:role/delivery"
RECORD = {"Data": base64.b64encode(b"data").decode()}
# The delivery streams named here do not exist.
NAME = {"DeliveryStreamName": "no-such-stream"}
S3 = {
    "RoleARN": ROLE,
    "BucketARN": "arn:aws:s3:::bucket",
    "Prefix": "a/",
    "ErrorOutputPrefix": "failed/",
    "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
    "CompressionFormat": "GZIP",
    "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
    "CloudWatchLoggingOptions": {"Enabled": True, "LogGroupName": "g", "LogStreamName": "s"},
}
PROCESSOR = {
    "Type": "AppendDelimiterToRecord",
    "Parameters": [{"ParameterName": "Delimiter", "ParameterValue": "\\n"}],
}
OPENX = {"OpenXJsonSerDe": {
    "ConvertDotsInJsonKeysToUnderscores": True, "CaseInsensitive": True,
    "ColumnToJsonKeyMappings": {"column": "key"},
}}
HIVE = {"HiveJsonSerDe": {"TimestampFormats": ["millis"]}}


def conversion(deserializer):
    parquet = {
        "BlockSizeBytes": 67108864, "PageSizeBytes": 65536, "Compression": "GZIP",
        "EnableDictionaryCompression": True, "MaxPaddingBytes": 0, "WriterVersion": "V1",
    }
    return {
        "SchemaConfiguration": {
            "RoleARN": ROLE, "CatalogId": ACCOUNT, "DatabaseName": "d", "TableName": "t",
            "Region": REGION, "VersionId": "LATEST",
        },
        "InputFormatConfiguration": {"Deserializer": deserializer},
        "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": parquet}},
        "Enabled": False,
    }


EXTENDED_S3 = {
    **S3,
    "ProcessingConfiguration": {"Enabled": True, "Processors": [PROCESSOR]},
    "S3BackupMode": "Disabled",
    "DataFormatConversionConfiguration": conversion(OPENX),
    "DynamicPartitioningConfiguration": {
        "Enabled": False, "RetryOptions": {"DurationInSeconds": 300},
    },
    "FileExtension": ".log",
    "CustomTimeZone": "UTC",
}
# One deserializer of each kind, which is one too many, but breaks no constraint.
OF_ALL = {**EXTENDED_S3, "DataFormatConversionConfiguration": conversion({**OPENX, **HIVE})}
SECRET = {
    "SecretARN": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:a",
    "RoleARN": ROLE,
    "Enabled": True,
}
HTTP_ENDPOINT = {
    "SecretsManagerConfiguration": SECRET,
    "EndpointConfiguration": {
        "Url": "https://endpoint.example/", "Name": "mine", "AccessKey": "key",
    },
    "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
    "CloudWatchLoggingOptions": {"Enabled": True, "LogGroupName": "g", "LogStreamName": "s"},
    "RequestConfiguration": {
        "ContentEncoding": "GZIP",
        "CommonAttributes": [{"AttributeName": "a", "AttributeValue": "b"}],
    },
    "ProcessingConfiguration": {"Enabled": True, "Processors": [PROCESSOR]},
    "RoleARN": ROLE,
    "RetryOptions": {"DurationInSeconds": 300},
    "S3BackupMode": "AllData",
}
SPLUNK = {
    "SecretsManagerConfiguration": SECRET,
    "HECEndpoint": "https://splunk.example:8088",
    "HECEndpointType": "Raw",
    "HECToken": "token",
    "HECAcknowledgmentTimeoutInSeconds": 180,
    "RetryOptions": {"DurationInSeconds": 3600},
    "S3BackupMode": "AllEvents",
    "ProcessingConfiguration": {"Enabled": True, "Processors": [PROCESSOR]},
    "CloudWatchLoggingOptions": {"Enabled": True, "LogGroupName": "g", "LogStreamName": "s"},
    "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 60},
}
CLUSTER = {
    "RoleARN": ROLE,
    "DomainARN": f"arn:aws:es:{REGION}:{ACCOUNT}:domain/logs",
    "ClusterEndpoint": "https://search.example",
    "IndexName": "logs",
    "TypeName": "line",
    "IndexRotationPeriod": "OneDay",
    "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
    "RetryOptions": {"DurationInSeconds": 300},
    "ProcessingConfiguration": {"Enabled": True, "Processors": [PROCESSOR]},
    "CloudWatchLoggingOptions": {"Enabled": True, "LogGroupName": "g", "LogStreamName": "s"},
    "DocumentIdOptions": {"DefaultDocumentIdFormat": "FIREHOSE_DEFAULT"},
}
REDSHIFT = {
    "SecretsManagerConfiguration": SECRET,
    "RoleARN": ROLE,
    "ClusterJDBCURL": "jdbc:postgresql://c.x.eu-west-1.redshift.amazonaws.com:5439/dev",
    "CopyCommand": {
        "DataTableName": "events", "DataTableColumns": "id,word", "CopyOptions": "CSV",
    },
    "Username": "loader",
    "Password": "password",
    "RetryOptions": {"DurationInSeconds": 3600},
    "ProcessingConfiguration": {"Enabled": True, "Processors": [PROCESSOR]},
    "S3BackupMode": "Enabled",
    "CloudWatchLoggingOptions": {"Enabled": True, "LogGroupName": "g", "LogStreamName": "s"},
}
CLUSTER_MADE = {**CLUSTER, "S3BackupMode": "AllDocuments"}
ENCRYPTION = {
    "KeyARN": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/a",
    "KeyType": "CUSTOMER_MANAGED_CMK",
}
UPDATE = {**NAME, "CurrentDeliveryStreamVersionId": "1", "DestinationId": "destinationId-1"}

# What is not served, and how it is asked for. Nothing is said of what it holds.
OTHER_DESTINATIONS = ["AmazonOpenSearchServerless", "Snowflake", "Iceberg"]
LEFT_OUT = {
    **{f"{name}DestinationConfiguration": "not served" for name in OTHER_DESTINATIONS},
    **{f"{name}DestinationUpdate": "not served" for name in OTHER_DESTINATIONS},
    "MSKSourceConfiguration": "a source that is not served",
    "DatabaseSourceConfiguration": "a source that is not served",
    "VpcConfiguration": "refused by name",
    "KMSEncryptionConfig": "objects are not encrypted with keys of KMS",
    "RetryOptions": "part of dynamic partitioning, which is refused where it is enabled",
}

FIREHOSE = Service(
    "firehose",
    valid={
        # One of each kind, which is one too many, but breaks no constraint.
        "CreateDeliveryStream": {
            **NAME,
            "DeliveryStreamType": "DirectPut",
            "DirectPutSourceConfiguration": {"ThroughputHintInMBs": 1},
            "KinesisStreamSourceConfiguration": {
                "KinesisStreamARN": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/none",
                "RoleARN": ROLE,
            },
            "S3DestinationConfiguration": S3,
            "ExtendedS3DestinationConfiguration": {**OF_ALL, "S3BackupConfiguration": S3},
            "HttpEndpointDestinationConfiguration": {**HTTP_ENDPOINT, "S3Configuration": S3},
            "SplunkDestinationConfiguration": {**SPLUNK, "S3Configuration": S3},
            "RedshiftDestinationConfiguration": {
                **REDSHIFT, "S3Configuration": S3, "S3BackupConfiguration": S3,
            },
            "ElasticsearchDestinationConfiguration": {**CLUSTER_MADE, "S3Configuration": S3},
            "AmazonopensearchserviceDestinationConfiguration": {
                **CLUSTER_MADE, "S3Configuration": S3,
            },
            "Tags": [{"Key": "key", "Value": "value"}],
            "DeliveryStreamEncryptionConfigurationInput": ENCRYPTION,
        },
        "DeleteDeliveryStream": {**NAME, "AllowForceDelete": True},
        "DescribeDeliveryStream": {
            **NAME, "Limit": 1, "ExclusiveStartDestinationId": "destinationId-1",
        },
        "ListDeliveryStreams": {
            "Limit": 1,
            "DeliveryStreamType": "DirectPut",
            "ExclusiveStartDeliveryStreamName": "a",
        },
        "ListTagsForDeliveryStream": {**NAME, "ExclusiveStartTagKey": "key", "Limit": 1},
        "PutRecord": {**NAME, "Record": RECORD},
        "PutRecordBatch": {**NAME, "Records": [RECORD]},
        "StartDeliveryStreamEncryption": {
            **NAME, "DeliveryStreamEncryptionConfigurationInput": ENCRYPTION,
        },
        "StopDeliveryStreamEncryption": NAME,
        "TagDeliveryStream": {**NAME, "Tags": [{"Key": "key", "Value": "value"}]},
        "UntagDeliveryStream": {**NAME, "TagKeys": ["key"]},
        "UpdateDestination": {
            **UPDATE,
            "S3DestinationUpdate": S3,
            "ExtendedS3DestinationUpdate": {**OF_ALL, "S3BackupUpdate": S3},
            "HttpEndpointDestinationUpdate": {**HTTP_ENDPOINT, "S3Update": S3},
            "SplunkDestinationUpdate": {**SPLUNK, "S3Update": S3},
            "RedshiftDestinationUpdate": {**REDSHIFT, "S3Update": S3, "S3BackupUpdate": S3},
            "ElasticsearchDestinationUpdate": {**CLUSTER, "S3Update": S3},
            "AmazonopensearchserviceDestinationUpdate": {**CLUSTER, "S3Update": S3},
        },
    },
    left_out=LEFT_OUT,
)

CREATE, CHANGE = "ExtendedS3DestinationConfiguration", "ExtendedS3DestinationUpdate"


def not_served(destination):
    """(path, value) of what an extended S3 destination may ask for in vain."""
    key = {"AWSKMSKeyARN": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/a"}
    yield [destination, "EncryptionConfiguration"], {"KMSEncryptionConfig": key}
    yield [destination, "CustomTimeZone"], "Europe/Atlantis"


class FirehoseConstraints(ConstraintChecks, unittest.TestCase):
    """Filled from the model below."""

    service = FIREHOSE

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def assert_not_served(self, operation, body, path, value):
        with self.subTest(path=path, value=value):
            broken = put(body, path, value)
            message = self.refused(operation, broken, "InvalidArgumentException")
            served = r" (is not|are) supported\.$| is no time zone that is known here$"
            self.assertRegex(message, served)

    def create(self, name):
        body = {"DeliveryStreamName": name, CREATE: EXTENDED_S3}
        status, answer = self.answer("CreateDeliveryStream", body)
        self.assertEqual(status, 200, answer)

    def test_a_delivery_stream_is_not_made_with_what_is_not_served(self):
        self.create("as-it-stands")
        body = {"DeliveryStreamName": "never-made", CREATE: EXTENDED_S3}
        members = [name for name in FIREHOSE.input("CreateDeliveryStream").members]
        top = [([name], {}) for name in members if name in LEFT_OUT]
        self.assertEqual(len(top), len(OTHER_DESTINATIONS) + 2)
        top += [(["DeliveryStreamType"], kind) for kind in ["MSKAsSource", "DatabaseAsSource"]]
        for path, value in [*top, *not_served(CREATE)]:
            self.assert_not_served("CreateDeliveryStream", body, path, value)
        names = self.answer("ListDeliveryStreams", {})[1]["DeliveryStreamNames"]
        self.assertNotIn("never-made", names)

    def test_a_destination_is_not_changed_to_what_is_not_served(self):
        self.create("unchanged")
        body = {
            "DeliveryStreamName": "unchanged",
            "CurrentDeliveryStreamVersionId": "1",
            "DestinationId": "destinationId-000000000001",
            CHANGE: EXTENDED_S3,
        }
        members = [name for name in FIREHOSE.input("UpdateDestination").members]
        top = [([name], {}) for name in members if name in LEFT_OUT]
        self.assertEqual(len(top), len(OTHER_DESTINATIONS))
        for path, value in [*top, *not_served(CHANGE)]:
            self.assert_not_served("UpdateDestination", body, path, value)
        name = {"DeliveryStreamName": "unchanged"}
        _, answer = self.answer("DescribeDeliveryStream", name)
        self.assertEqual(answer["DeliveryStreamDescription"]["VersionId"], "1")

    def test_an_older_s3_destination_refuses_the_same(self):
        body = {"DeliveryStreamName": "never-made", "S3DestinationConfiguration": S3}
        for path, value in not_served("S3DestinationConfiguration"):
            if path[1] in S3:
                self.assert_not_served("CreateDeliveryStream", body, path, value)

    def test_every_member_that_is_left_out_is_one_of_the_model(self):
        known = set()

        def look(shape):
            if shape.type_name == "structure":
                known.update(shape.members)
                for name, member in shape.members.items():
                    if name not in LEFT_OUT:
                        look(member)

        for operation in FIREHOSE.valid:
            look(FIREHOSE.input(operation))
        self.assertLessEqual(set(LEFT_OUT), known)

    def test_several_violations_are_told_together(self):
        body = {
            "DeliveryStreamName": "",
            "CurrentDeliveryStreamVersionId": "one",
            CHANGE: {"BufferingHints": {"SizeInMBs": 0}},
        }
        message = self.refused("UpdateDestination", body, "ValidationException")
        self.assertTrue(message.startswith("5 validation errors detected: Value '"), message)
        self.assertEqual(message.count("failed to satisfy constraint: "), 5)

    def test_null_is_as_good_as_absent(self):
        body = {**NAME, "Record": {"Data": None}, "NoSuchMember": None}
        message = self.refused("PutRecord", body, "ValidationException")
        wanted = "Value null at 'record.data' failed to satisfy constraint: Member must not be null"
        self.assertEqual(message, f"1 validation error detected: {wanted}")

    def test_members_that_the_model_does_not_know_are_passed_over(self):
        status, answer = self.answer("ListDeliveryStreams", {"NoSuchMember": {"a": [1]}})
        self.assertEqual(status, 200, answer)


add_tests(FirehoseConstraints)

if __name__ == "__main__":
    unittest.main()
