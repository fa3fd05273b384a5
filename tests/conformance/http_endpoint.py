"""An HTTP endpoint that was written by AWS's page on the contract of Data Firehose and nothing
else: it takes every request that conforms, and keeps it."""

import gzip
import json

from doubles import Double, Exchange

ACCESS_KEY = "key"


class Endpoint(Double):
    def __init__(self):
        # Headers and body of each request that was taken, in order.
        self.taken = []
        super().__init__(Taking)
        self.url = f"http://{self.address}/take"


def message(headers, body):
    """The JSON of a request."""
    return json.loads(gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body)


class Taking(Exchange):
    """One connection to the endpoint."""

    def do_POST(self):
        body = self.body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("x-amz-firehose-access-key") != ACCESS_KEY:
            return self.answer(401, headers, errorMessage="the access key is another one")
        if not conforms(headers, body):
            return self.answer(400, headers, errorMessage="the request does not conform")
        self.server.taken.append((headers, body))
        if self.server.place_to_hold():
            return self.wait_until_gone()
        self.answer(200, headers)

    def answer(self, status, headers, **members):
        request_id = headers.get("x-amz-firehose-request-id")
        answer = {"requestId": request_id, "timestamp": 1, **members}
        self.say(status, json.dumps(answer).encode())


def conforms(headers, body):
    """Whether a request is one of the first version of the contract."""
    said = message(headers, body)
    return (
        headers.get("content-type") == "application/json"
        and headers.get("x-amz-firehose-protocol-version") == "1.0"
        and said["requestId"] == headers.get("x-amz-firehose-request-id")
        and isinstance(said["timestamp"], int)
        and all(set(record) == {"data"} for record in said["records"])
    )
