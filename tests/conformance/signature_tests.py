"""A server with credentials: every request must be signed with one of them, for its service."""

import json
import os
import tempfile
import unittest

from botocore.exceptions import ClientError

from deliveries import extended_s3, wait_until
from server import Server

CONFIGURATION = """
[[credentials]]
access_key_id = "AKIDEXAMPLE"
secret_access_key = "secret"
account = "000000000000"

[[credentials]]
access_key_id = "AKIDOTHER"
secret_access_key = "other secret"
account = "111111111111"
"""


class Signatures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        cls.addClassCleanup(directory.cleanup)
        path = os.path.join(directory.name, "millrace.toml")
        with open(path, "w") as file:
            file.write(CONFIGURATION)
        cls.server = Server("--config", path)
        cls.addClassCleanup(cls.server.stop)

    def code(self, *credentials):
        with self.assertRaises(ClientError) as raised:
            self.server.kinesis(*credentials).list_streams()
        return raised.exception.response["Error"]["Code"]

    def test_a_known_key_is_let_in(self):
        self.server.kinesis().list_streams()

    def test_an_unknown_key_is_not(self):
        self.assertEqual(self.code("AKIDUNKNOWN", "secret"), "UnrecognizedClientException")

    def test_a_wrong_secret_is_not(self):
        self.assertEqual(self.code("AKIDEXAMPLE", "wrong"), "InvalidSignatureException")

    def test_an_operation_is_signed_for_its_own_service_and_no_other(self):
        operations = {"kinesis": "ListStreams", "firehose": "ListDeliveryStreams"}
        for service, operation in operations.items():
            status, answer = self.server.raw(operation, {}, service)
            self.assertEqual(status, 200, answer)
            for other in [*operations.keys() - {service}, "s3"]:
                status, answer = self.server.raw(operation, {}, service, signed_for=other)
                self.assertEqual(status, 400, answer)
                self.assertEqual(answer["__type"].split("#")[-1], "InvalidSignatureException")
                scoped = f"Credential should be scoped to correct service: '{service}'. "
                self.assertEqual(answer["message"], scoped)

    def test_the_servers_own_pages_are_signed_like_everything(self):
        for page in ["plugins", "delivery-streams"]:
            self.assertEqual(self.server.page(page)[0], 200)
            status, answer = self.server.page(page, secret="wrong")
            self.assertEqual((status, answer["__type"]), (400, "InvalidSignatureException"))
            status, answer = self.server.page(page, key_id="AKIDUNKNOWN")
            self.assertEqual((status, answer["__type"]), (400, "UnrecognizedClientException"))

    def refusal(self, request):
        status, text = self.server.send(request)
        self.assertEqual(status, 400, text)
        return json.loads(text)["__type"]

    def test_a_presigned_address_needs_no_other_signature(self):
        request = self.server.presigned("/_millrace/plugins")
        status, text = self.server.send(request)
        self.assertEqual((status, json.loads(text)), (200, {"plugins": []}))
        request.url = request.url.replace("/plugins?", "/delivery-streams?")
        self.assertEqual(self.refusal(request), "InvalidSignatureException")

    def test_a_presigned_operation_has_its_target_signed(self):
        target = {"X-Amz-Target": "Kinesis_20131202.ListStreams"}
        headers = {**target, "Content-Type": "application/x-amz-json-1.1"}
        request = self.server.presigned("/", "POST", headers)
        status, text = self.server.send(request)
        self.assertEqual(status, 200, text)
        self.assertIn("StreamNames", json.loads(text))
        request.headers.replace_header("X-Amz-Target", "Kinesis_20131202.DescribeLimits")
        self.assertEqual(self.refusal(request), "InvalidSignatureException")
        del headers["X-Amz-Target"]
        request = self.server.presigned("/", "POST", headers)
        request.headers["X-Amz-Target"] = target["X-Amz-Target"]
        self.assertEqual(self.refusal(request), "InvalidSignatureException")

    def test_a_presigned_request_is_good_for_a_week_at_most(self):
        page = "/_millrace/plugins"
        self.assertEqual(self.server.send(self.server.presigned(page, expires=604800))[0], 200)
        for expires in [0, 604801, -1]:
            request = self.server.presigned(page, expires=expires)
            self.assertEqual(self.refusal(request), "IncompleteSignatureException")

    def test_a_request_is_not_signed_twice(self):
        request = self.server.presigned("/_millrace/plugins")
        request.headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=x"
        self.assertEqual(self.refusal(request), "IncompleteSignatureException")

    def test_two_accounts_do_not_see_each_others_delivery_streams(self):
        one = self.server.firehose()
        other_key = {"key_id": "AKIDOTHER", "secret": "other secret"}
        other = self.server.firehose(**other_key)
        for client in (one, other):
            self.assertNotIn("mine", client.list_delivery_streams()["DeliveryStreamNames"])
            client.create_delivery_stream(
                DeliveryStreamName="mine",
                ExtendedS3DestinationConfiguration=extended_s3("bucket"),
            )

        def is_active():
            answer = one.describe_delivery_stream(DeliveryStreamName="mine")
            return answer["DeliveryStreamDescription"]["DeliveryStreamStatus"] == "ACTIVE"

        # Another one is not deleted.
        wait_until(is_active, "mine is ACTIVE")
        one.delete_delivery_stream(DeliveryStreamName="mine")
        answer = other.describe_delivery_stream(DeliveryStreamName="mine")
        arn = answer["DeliveryStreamDescription"]["DeliveryStreamARN"]
        self.assertIn(":111111111111:", arn)
        _, page = self.server.page("delivery-streams", **other_key)
        self.assertEqual([stream["arn"] for stream in page["deliveryStreams"]], [arn])

    def test_two_accounts_do_not_see_each_other(self):
        one, other = self.server.kinesis(), self.server.kinesis("AKIDOTHER", "other secret")
        one.create_stream(StreamName="mine", ShardCount=1)
        self.assertNotIn("mine", other.list_streams()["StreamNames"])
        other.create_stream(StreamName="mine", ShardCount=1)
        summaries = [client.describe_stream_summary(StreamName="mine") for client in (one, other)]
        arns = [answer["StreamDescriptionSummary"]["StreamARN"] for answer in summaries]
        self.assertIn(":000000000000:", arns[0])
        self.assertIn(":111111111111:", arns[1])


if __name__ == "__main__":
    unittest.main()
