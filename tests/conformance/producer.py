"""A producer that puts records into a stream all the time, whatever becomes of the server, and
knows what was acknowledged; and what a stream holds."""

import json
import queue
import threading

from botocore.exceptions import BotoCoreError, ClientError

# Of so many records one is of each kind that some destination refuses.
REFUSED_EVERY = 50
RECORDS_PER_PUT_MAX = 12
# Between two puts, so that a debug build keeps up.
PAUSE_SECONDS = 0.04
# The longest that a server may be away.
AWAY_SECONDS_MAX = 60
REGIONS = ("east", "west")

GOOD = "good"
NO_JSON = "no JSON"
NO_NUMBER = "no number"
NEGATIVE = "negative"
NO_REGION = "no region"
NO_EVENT = "no event"
REFUSED = (NO_JSON, NO_NUMBER, NEGATIVE, NO_REGION, NO_EVENT)


def record(kind, number, attempt):
    """The data of a record. That of another attempt is another: what is in a stream twice was put
    there twice by us, and not by a server that was asked once."""
    name = f"{number}.{attempt}"
    if kind == NO_JSON:
        return f"no JSON: {name}".encode()
    members = {"name": name, "number": number}
    if kind == NO_NUMBER:
        members["number"] = "none"
    if kind == NEGATIVE:
        members["number"] = -number
    if kind != NO_REGION:
        members["region"] = REGIONS[number % len(REGIONS)]
    members["event"] = "" if kind == NO_EVENT else "click"
    return encoded(members)


def encoded(members):
    """The bytes of a record that has these members."""
    return json.dumps(members).encode()


class Producer(threading.Thread):
    """What is not acknowledged is put again, by another attempt."""

    def __init__(self, stream, chance):
        super().__init__(daemon=True)
        self.stream, self.chance = stream, chance
        # A client of the server each time that it was started.
        self.clients = queue.Queue()
        # The kind of each record that was put, by its data, and where it was said to be.
        self.kinds, self.acknowledged = {}, {}
        self.is_over = threading.Event()
        self.numbers = iter(range(1, 1_000_000))

    def end(self):
        """Puts what is not acknowledged until it is, and nothing new."""
        self.is_over.set()
        self.join(AWAY_SECONDS_MAX)
        if self.is_alive():
            raise AssertionError("the producer does not come to an end")

    def run(self):
        client = self.clients.get()
        left = []
        while left or not self.is_over.wait(PAUSE_SECONDS):
            left = left or [self.next() for _ in range(self.chance.randint(1, RECORDS_PER_PUT_MAX))]
            try:
                left = self.put(client, left)
            except (BotoCoreError, ClientError) as error:
                left = [(kind, number, attempt + 1) for kind, number, attempt in left]
                if not isinstance(error, ClientError):
                    # It was killed.
                    client = self.clients.get(timeout=AWAY_SECONDS_MAX)

    def next(self):
        number = next(self.numbers)
        kind = self.chance.randrange(REFUSED_EVERY)
        return (REFUSED[kind] if kind < len(REFUSED) else GOOD), number, 1

    def put(self, client, records):
        """What is left of them, for another attempt."""
        data = [record(*one) for one in records]
        self.kinds.update(zip(data, (kind for kind, *_ in records)))
        answer = client.put_records(
            StreamName=self.stream,
            Records=[
                {"Data": one, "PartitionKey": str(number)}
                for one, (_, number, _) in zip(data, records)
            ],
        )
        left = []
        for one, (kind, number, attempt), placed in zip(data, records, answer["Records"]):
            if "ErrorCode" in placed:
                left.append((kind, number, attempt + 1))
            else:
                self.acknowledged[one] = placed["ShardId"], placed["SequenceNumber"]
        return left


def held(kinesis, stream):
    """All that a stream holds: the shard and the sequence number of each record, and its data."""
    found = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        shard = shard["ShardId"]
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            answer = kinesis.get_records(ShardIterator=iterator)
            found += [((shard, it["SequenceNumber"]), it["Data"]) for it in answer["Records"]]
            is_at_tip = answer["MillisBehindLatest"] == 0
            # One that was split has an end.
            iterator = None if is_at_tip else answer.get("NextShardIterator")
    return found
