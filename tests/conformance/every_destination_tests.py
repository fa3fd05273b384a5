"""One stream feeds every kind of destination at the same time, while a producer goes on, a shard is
split, and millrace and each of the servers that it delivers to are killed. What the stream holds in
the end is the truth: each of its records is where it belongs, and nothing else is anywhere."""

import os
import random
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path

import s3_server
from deliveries import ROLE, Deliveries, wait_until
from destinations import Documents, Events, Requests, Rows, Table
from producer import Producer, held
from server import Server

KILLS = 20
SHARDS = 2
# Where the first of them is split.
HALF = str(2**126)
# Another seed, to see again what a run has done.
SEED_VARIABLE = "MILLRACE_TEST_SEED"
# Records that are acknowledged, and requests that are made, before a kill, at most.
RECORDS_BEFORE_MAX, REQUESTS_BEFORE_MAX = 150, 8
MOMENT_SECONDS_MAX = 60
DELIVERED_SECONDS_MAX = 150


class EveryDestination(Deliveries, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.destinations = []
        for kind in (Rows, Documents, Events, Requests, Table):
            destination = kind()
            cls.addClassCleanup(destination.close)
            cls.destinations.append(destination)
        cls.rows, _, cls.events, cls.requests, _ = cls.destinations

    def setUp(self):
        super().setUp()
        self.name = "clicks"
        directory = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        addresses = ", ".join(f'"{it.double.address}"' for it in self.destinations)
        (self.directory / "millrace.toml").write_text(
            f'[egress]\nallow = [{addresses}]\n'
            f'[glue]\ndirectory = "{self.rows.tables.name}"\n'
            + s3_server.configuration(self.rows.double.address)
        )
        seed = int(os.environ.get(SEED_VARIABLE) or random.randrange(2**32))
        print(f"{SEED_VARIABLE}={seed}", file=sys.stderr)
        self.chance = random.Random(seed)
        self.producer = Producer(self.name, random.Random(seed))

    def start(self):
        """millrace on the data that was left."""
        self.server = Server(
            "--no-throttle",
            *("--config", str(self.directory / "millrace.toml")),
            *("--data", str(self.directory / "data")),
        )
        self.addCleanup(self.server.stop)
        self.firehose, self.kinesis = self.server.firehose(), self.server.kinesis()
        self.producer.clients.put(self.server.kinesis())

    def kill(self):
        self.server.kill()
        self.assertEqual(self.server.logged("panicked"), [])
        # What is left of it is its log.
        self.server.stop()

    def make(self, destination, stream_arn):
        self.rows.server.make_bucket(destination.name)
        self.firehose.create_delivery_stream(
            DeliveryStreamName=destination.name,
            DeliveryStreamType="KinesisStreamAsSource",
            KinesisStreamSourceConfiguration={"KinesisStreamARN": stream_arn, "RoleARN": ROLE},
            **{f"{destination.kind}DestinationConfiguration": destination.configuration()},
        )
        self.wait_until_active(destination.name)

    def wait_until_acknowledged(self, more):
        wanted = len(self.producer.acknowledged) + more

        def are_acknowledged():
            self.assertTrue(self.producer.is_alive(), "the producer has ended")
            return len(self.producer.acknowledged) >= wanted

        wait_until(are_acknowledged, f"{more} records more", MOMENT_SECONDS_MAX)

    def wait_for_a_moment(self, destination):
        """Until a request to it is on its way, and held there."""
        double, where = destination.double, self.chance.choice(destination.holds)
        double.hold(where, self.chance.randrange(REQUESTS_BEFORE_MAX))
        is_held = double.held.wait(MOMENT_SECONDS_MAX)
        self.assertTrue(is_held, f"nothing goes to {destination.name}: {self.counts()}")

    def outages(self):
        """In which rounds each of the servers goes away. It comes back in the one after that."""
        rounds = self.chance.sample(range(1, KILLS - 3), len(self.destinations))
        return dict(zip(rounds, self.destinations))

    def split(self):
        """Makes two shards of the first one."""
        self.kinesis.split_shard(
            StreamName=self.name, ShardToSplit="shardId-000000000000", NewStartingHashKey=HALF
        )

    def kill_again_and_again(self):
        outages, split_in = self.outages(), self.chance.randrange(KILLS - 3)
        for number in range(KILLS):
            if number == split_in:
                self.split()
            goes, comes = outages.get(number), outages.get(number - 1)
            if goes:
                self.wait_until_acknowledged(self.chance.randint(1, RECORDS_BEFORE_MAX))
                goes.go_away()
            if comes:
                self.wait_until_acknowledged(self.chance.randint(1, RECORDS_BEFORE_MAX))
                comes.come_back()
            steady = [it for it in self.destinations if it not in (goes, comes)]
            if goes is self.rows:
                # Where what fails goes nowhere nobody gets on for long.
                steady = []
            destination = self.chance.choice([None, *steady])
            if destination:
                self.wait_for_a_moment(destination)
            else:
                self.wait_until_acknowledged(self.chance.randint(1, RECORDS_BEFORE_MAX))
            self.kill()
            self.start()

    def counts(self):
        """What the page of each delivery stream says of its records."""
        names = ("recordsIn", "delivered", "failed", "dropped", "lost", "waitingRecords", "trouble")
        pages = {it.name: self.status(it.name) for it in self.destinations}
        return {of: {name: page[name] for name in names} for of, page in pages.items()}

    def wait_until_nothing_waits(self, records):
        def is_done():
            counts = self.counts().values()
            return all((it["recordsIn"], it["waitingRecords"]) == (records, 0) for it in counts)

        wait_until(is_done, self.counts, DELIVERED_SECONDS_MAX)

    def assert_held_is_what_was_put(self, records):
        """What was acknowledged is where it was said to be, and no attempt is there twice."""
        placed = {data: place for place, data in records}
        self.assertEqual(len(placed), len(records))
        self.assertLessEqual(placed.keys(), self.producer.kinds.keys())
        self.assertLessEqual(self.producer.acknowledged.items(), placed.items())

    def assert_same(self, found, wanted):
        """Both hold the same as often."""
        found, wanted = Counter(found), Counter(wanted)
        self.assertEqual((found - wanted, wanted - found), (Counter(), Counter()))

    def assert_all_is_there_once(self, destination, data):
        def is_refused(record):
            return self.producer.kinds[record] in destination.refused

        bad = [record for record in data if is_refused(record)]
        good = [record for record in data if not is_refused(record)]
        self.assert_same(destination.found(), good)
        self.assert_same(self.rows.failed_of(destination), bad)
        self.assertEqual(bool(bad), bool(destination.refused))
        self.assertEqual(self.counts()[destination.name], {
            "recordsIn": len(data), "delivered": len(good), "failed": len(bad), "dropped": 0,
            "lost": 0, "waitingRecords": 0, "trouble": None,
        })

    def test_each_record_is_where_it_belongs_whoever_is_killed_when(self):
        self.start()
        stream_arn = self.stream(SHARDS)
        for destination in self.destinations:
            self.make(destination, stream_arn)
        self.producer.start()
        self.kill_again_and_again()
        self.producer.end()
        records = held(self.kinesis, self.name)
        self.assert_held_is_what_was_put(records)
        self.wait_until_nothing_waits(len(records))
        for destination in self.destinations:
            with self.subTest(destination.name):
                self.assert_all_is_there_once(destination, [data for _, data in records])
        for destination in (self.events, self.requests):
            self.assertGreater(destination.repeated(), 0)


if __name__ == "__main__":
    unittest.main()
