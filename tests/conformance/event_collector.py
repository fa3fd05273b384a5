"""A double of Splunk's HTTP event collector, with indexer acknowledgement and as strict as its
protocol, as that of `tests/delivery` is: no Splunk can be installed."""

import json
import re
import urllib.parse
from collections import defaultdict

from doubles import Double, Exchange

TOKEN = "11111111-2222-3333-4444-555555555555"
GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
BELOW = "/services/collector/"
TEXTS = {
    2: "Token is required",
    4: "Invalid token",
    5: "No data",
    6: "Invalid data format",
    10: "Data channel is missing",
    11: "Invalid data channel",
    12: "Event field is required",
    13: "Event field cannot be blank",
    404: "The requested URL was not found on this server.",
}


class Refusal(Exception):
    """A status and a code of the collector."""


class Channel:
    """What is known of the requests on a channel. Each is acknowledged once, and not the first time
    that it is asked for: indexing takes its time."""

    def __init__(self):
        self.next = 0
        self.taken, self.indexed = set(), set()

    def take(self):
        number = self.next
        self.next += 1
        self.taken.add(number)
        return number

    def acknowledges(self, number):
        if number in self.indexed:
            self.indexed.remove(number)
            return True
        if number in self.taken:
            self.taken.remove(number)
            self.indexed.add(number)
        return False


class EventCollector(Double):
    def __init__(self):
        # Channel and body of each request with events that was taken, in order.
        self.taken = []
        # Codes of all refusals.
        self.refused = []
        self.channels = defaultdict(Channel)
        super().__init__(Collecting)
        self.url = f"http://{self.address}"

    def come_back(self):
        """Another process begins, which knows no numbers of before."""
        self.channels.clear()
        super().come_back()


class Collecting(Exchange):
    """One connection to the collector."""

    def do_POST(self):
        body = self.body()
        try:
            what, channel = self.checked()
            if what == "ack":
                answer = self.acknowledged(body, channel)
            else:
                answer = self.taken(what, body, channel)
                if self.server.place_to_hold():
                    return self.wait_until_gone()
        except Refusal as refusal:
            status, code = refusal.args
            self.server.refused.append(code)
            return self.say(status, json.dumps({"text": TEXTS[code], "code": code}).encode())
        self.say(200, json.dumps(answer).encode())

    def checked(self):
        """What is asked for on which channel, by whoever may."""
        path, _, query = self.path.partition("?")
        what = path.removeprefix(BELOW)
        if not path.startswith(BELOW) or what not in ("raw", "event", "ack"):
            raise Refusal(404, 404)
        if "Authorization" not in self.headers:
            raise Refusal(401, 2)
        if self.headers["Authorization"] != f"Splunk {TOKEN}":
            raise Refusal(403, 4)
        said = urllib.parse.parse_qs(query).get("channel")
        if not said:
            raise Refusal(400, 10)
        if not GUID.fullmatch(said[0]) or self.headers["X-Splunk-Request-Channel"] != said[0]:
            raise Refusal(400, 11)
        return what, said[0]

    def acknowledged(self, body, channel):
        """Which of the numbers that are asked for are acknowledged."""
        with self.server.lock:
            known = self.server.channels[channel]
            numbers = json.loads(body)["acks"]
            return {"acks": {str(number): known.acknowledges(number) for number in numbers}}

    def taken(self, what, body, channel):
        """The number of a request with events."""
        if not body:
            raise Refusal(400, 5)
        if what == "event":
            check_events(body)
        with self.server.lock:
            self.server.taken.append((channel, body))
            number = self.server.channels[channel].take()
        return {"text": "Success", "code": 0, "ackId": number}


def check_events(body):
    """Whether a body is one event after the other."""
    try:
        text, reader = body.decode().strip(), json.JSONDecoder()
        while text:
            event, end = reader.raw_decode(text)
            text = text[end:].lstrip()
            if "event" not in event:
                raise Refusal(400, 12)
            if event["event"] in ("", None):
                raise Refusal(400, 13)
    except (ValueError, TypeError) as error:
        raise Refusal(400, 6) from error
