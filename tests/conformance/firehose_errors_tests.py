"""The errors that the service model of Data Firehose documents for each operation, as boto3 raises
them, where a client alone can cause them."""

import unittest

from botocore.exceptions import ClientError

from deliveries import ROLE, Deliveries, extended_s3, lambda_processor
from server import ACCOUNT, REGION

DESTINATION = "destinationId-000000000001"


class FirehoseErrors(Deliveries, unittest.TestCase):
    def fails(self, code, operation, **members):
        client = members.pop("client", self.firehose)
        members = {"DeliveryStreamName": self.name, **members}
        with self.assertRaises(ClientError) as raised:
            getattr(client, operation)(**members)
        answer = raised.exception.response
        self.assertEqual(answer["Error"]["Code"], code, answer)
        self.assertIsInstance(raised.exception, getattr(client.exceptions, code))
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 400)
        self.assertTrue(answer["ResponseMetadata"]["RequestId"])
        return answer["Error"]["Message"]

    def invalid(self, operation, **members):
        return self.fails("InvalidArgumentException", operation, **members)

    def not_made(self, **members):
        destination = extended_s3(self.bucket, **members)
        members = {"ExtendedS3DestinationConfiguration": destination}
        return self.invalid("create_delivery_stream", **members)

    def update(self, **members):
        return {
            "CurrentDeliveryStreamVersionId": "1",
            "DestinationId": DESTINATION,
            "ExtendedS3DestinationUpdate": {"Prefix": "a/"},
            **members,
        }

    def test_every_operation_on_a_delivery_stream_that_is_not_there_says_which(self):
        calls = {
            "delete_delivery_stream": {},
            "describe_delivery_stream": {},
            "list_tags_for_delivery_stream": {},
            "put_record": {"Record": {"Data": b"x"}},
            "put_record_batch": {"Records": [{"Data": b"x"}]},
            "tag_delivery_stream": {"Tags": [{"Key": "a", "Value": "b"}]},
            "untag_delivery_stream": {"TagKeys": ["a"]},
            "update_destination": self.update(),
        }
        wanted = f"Firehose {self.name} under account {ACCOUNT} not found."
        for operation, members in calls.items():
            with self.subTest(operation):
                text = self.fails("ResourceNotFoundException", operation, **members)
                self.assertEqual(text, wanted)

    def test_a_name_is_given_once(self):
        self.create(extended_s3(self.bucket))
        again = {"ExtendedS3DestinationConfiguration": extended_s3(self.bucket)}
        text = self.fails("ResourceInUseException", "create_delivery_stream", **again)
        wanted = f"Firehose {self.name} under accountId {ACCOUNT} already exists"
        self.assertEqual(text, wanted)

    def test_a_delivery_stream_has_exactly_one_destination(self):
        basic = {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{self.bucket}"}
        both = {
            "S3DestinationConfiguration": basic,
            "ExtendedS3DestinationConfiguration": extended_s3(self.bucket),
        }
        for destinations in ({}, both):
            text = self.invalid("create_delivery_stream", **destinations)
            self.assertTrue(text.startswith("Exactly one destination configuration is supported"))

    def test_a_source_must_fit_the_type_and_be_there(self):
        source = {
            "KinesisStreamARN": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/none",
            "RoleARN": ROLE,
        }
        elsewhere = f"arn:aws:kinesis:{REGION}:111111111111:stream/none"
        destination = {"ExtendedS3DestinationConfiguration": extended_s3(self.bucket)}
        for kind, configuration in [
            ("KinesisStreamAsSource", {}),
            ("KinesisStreamAsSource", {"KinesisStreamSourceConfiguration": source}),
            (
                "KinesisStreamAsSource",
                {"KinesisStreamSourceConfiguration": {**source, "KinesisStreamARN": elsewhere}},
            ),
            ("DirectPut", {"KinesisStreamSourceConfiguration": source}),
        ]:
            with self.subTest(kind, **configuration):
                members = {"DeliveryStreamType": kind, **configuration, **destination}
                self.invalid("create_delivery_stream", **members)

    def test_a_destination_that_could_not_be_delivered_to_is_refused(self):
        for members in [
            {"BucketARN": "arn:aws:s3:::Not_A_Bucket"},
            {"Prefix": "!{timestamp:yyyy}/"},
            {"Prefix": "!{no-such:thing}/", "ErrorOutputPrefix": "failed/"},
            {"Prefix": "!{timestamp:yyyy", "ErrorOutputPrefix": "failed/"},
            {"Prefix": "!{partitionKeyFromQuery:a}/", "ErrorOutputPrefix": "failed/"},
            {"Prefix": "!{firehose:error-output-type}/", "ErrorOutputPrefix": "failed/"},
            {"ErrorOutputPrefix": "!{timestamp:yyyy}/"},
        ]:
            with self.subTest(**members):
                self.not_made(**members)

    def test_processors_that_say_too_little_or_too_much_are_refused(self):
        function = lambda_processor("none")["Parameters"][0]["ParameterValue"]
        for parameters, wanted in [
            ({}, "LambdaArn is required when Lambda processor is used."),
            ({"LambdaArn": "none"}, "Invalid lambda ARN."),
            (
                {"LambdaArn": function, "BufferSizeInMBs": "1"},
                "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure "
                "buffering for lambda processor.",
            ),
            ({"LambdaArn": function.replace(REGION, "mars-north-1")}, None),
            ({"LambdaArn": function.replace(ACCOUNT, "111111111111")}, None),
            ({"LambdaArn": function + ":prod"}, None),
            ({"LambdaArn": function, "NumberOfRetries": "301"}, None),
        ]:
            with self.subTest(**parameters):
                listed = [
                    {"ParameterName": name, "ParameterValue": value}
                    for name, value in parameters.items()
                ]
                processors = [{"Type": "Lambda", "Parameters": listed}]
                enabled = {"Enabled": True, "Processors": processors}
                text = self.not_made(ProcessingConfiguration=enabled)
                if wanted:
                    self.assertEqual(text, wanted)

    def test_a_processor_says_each_parameter_once_and_there_is_one_lambda_processor(self):
        processor = lambda_processor("none")
        twice = {**processor, "Parameters": processor["Parameters"] * 2}
        for processors, wanted in [
            ([twice], "Duplicate ProcessorParameter passed to ProcessingConfiguration."),
            ([processor, processor], "Cannot have more than 1 Lambda processor."),
        ]:
            enabled = {"Enabled": True, "Processors": processors}
            self.assertEqual(self.not_made(ProcessingConfiguration=enabled), wanted)

    def test_a_prefix_with_expressions_needs_an_error_output_prefix(self):
        text = self.not_made(Prefix="!{firehose:random-string}/")
        wanted = (
            "Ths supplied prefix(es) do not satisfy the following constraint: "
            "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions"
        )
        self.assertEqual(text, wanted)

    def test_only_direct_puts_take_puts(self):
        self.kinesis.create_stream(StreamName=self.name, ShardCount=1)
        self.kinesis.get_waiter("stream_exists").wait(
            StreamName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        source = {
            "KinesisStreamARN": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{self.name}",
            "RoleARN": ROLE,
        }
        self.create(
            extended_s3(self.bucket),
            DeliveryStreamType="KinesisStreamAsSource",
            KinesisStreamSourceConfiguration=source,
        )
        for operation, members in [
            ("put_record", {"Record": {"Data": b"x"}}),
            ("put_record_batch", {"Records": [{"Data": b"x"}]}),
        ]:
            kind = "KinesisStreamAsSource"
            wanted = f"This operation is not permitted on {kind} delivery stream type."
            self.assertEqual(self.invalid(operation, **members), wanted)

    def test_a_batch_larger_than_four_mebibytes_is_refused_as_a_whole(self):
        self.create(extended_s3(self.bucket))
        record = {"Data": bytes(1_000_000)}
        text = self.invalid("put_record_batch", Records=[record] * 5)
        self.assertEqual(text, "Records size exceeds 4 MB limit")
        self.flush()
        self.assertEqual(self.objects(), [])

    def test_a_destination_is_changed_only_from_the_version_that_is_there(self):
        self.create(extended_s3(self.bucket))
        for version in ("2", "0", "9" * 50):
            members = self.update(CurrentDeliveryStreamVersionId=version)
            self.fails("ConcurrentModificationException", "update_destination", **members)
        self.firehose.update_destination(DeliveryStreamName=self.name, **self.update())
        code = "ConcurrentModificationException"
        self.fails(code, "update_destination", **self.update())
        self.assertEqual(self.describe()["VersionId"], "2")

    def test_a_change_names_the_destination_and_says_what_changes(self):
        self.create(extended_s3(self.bucket))
        members = self.update(DestinationId="destinationId-000000000002")
        self.invalid("update_destination", **members)
        nothing = self.update()
        del nothing["ExtendedS3DestinationUpdate"]
        self.invalid("update_destination", **nothing)
        self.invalid("update_destination", **self.update(S3DestinationUpdate={"Prefix": "b/"}))
        self.assertEqual(self.describe()["VersionId"], "1")

    def test_more_tags_than_a_delivery_stream_may_have_are_refused(self):
        self.create(extended_s3(self.bucket))
        tags = [{"Key": f"key-{number}", "Value": "x"} for number in range(50)]
        self.firehose.tag_delivery_stream(DeliveryStreamName=self.name, Tags=tags)
        one_more = [{"Key": "one-more", "Value": "x"}]
        self.fails("LimitExceededException", "tag_delivery_stream", Tags=one_more)

    def test_an_account_and_a_region_see_only_their_own(self):
        self.create(extended_s3(self.bucket))
        elsewhere = self.server.firehose(region="mars-north-1")
        code = "ResourceNotFoundException"
        self.fails(code, "describe_delivery_stream", client=elsewhere)
        self.assertEqual(elsewhere.list_delivery_streams()["DeliveryStreamNames"], [])


if __name__ == "__main__":
    unittest.main()


class Throttled(Deliveries, unittest.TestCase):
    """A server that holds direct puts to AWS's quotas: 1 MiB a second in this region."""

    flags = ()

    def test_a_call_fails_in_part_and_then_as_a_whole(self):
        self.create(extended_s3(self.bucket))
        records = [{"Data": letter * 500_000} for letter in (b"a", b"b", b"c", b"d")]
        answer = self.firehose.put_record_batch(DeliveryStreamName=self.name, Records=records)
        self.assert_valid("PutRecordBatch", answer)
        responses = answer["RequestResponses"]
        failed = [one for one in responses if "ErrorCode" in one]
        self.assertTrue(0 < len(failed) < 4, answer)
        self.assertEqual(answer["FailedPutCount"], len(failed))
        for one in failed:
            wanted = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
            self.assertEqual(one, wanted)
        largest = {"Data": bytes(1_024_000)}
        with self.assertRaises(self.firehose.exceptions.ServiceUnavailableException) as raised:
            for _ in range(100):
                self.firehose.put_record(DeliveryStreamName=self.name, Record=largest)
        answer = raised.exception.response
        self.assertEqual(answer["Error"]["Message"], "Slow down.")
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 503)
