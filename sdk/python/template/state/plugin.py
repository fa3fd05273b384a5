"""What becomes of the records of a shard: they and their words are counted, and every so many
records the totals are told to a stream."""

import json
import re

from millrace import config
from millrace.consumer import Consumer, emit, stateful_consumer


class Totals(Consumer):
    STATE_VERSION = 1

    def start(self, assignment):
        """Called once for the shard of the instance."""
        self.shard = assignment.shard
        self.every = int(config("every") or 1000)
        if self.every < 1:
            raise ValueError("config every: not a number from 1 on")
        self.records = self.words = 0

    def process(self, records, millis_behind):
        for record in records:
            self.records += 1
            self.words += len(re.findall(r"\w+", record.text()))
            if self.records % self.every == 0:
                emit("totals", self.shard, f"{self.records} records, {self.words} words")

    def snapshot(self):
        """Asked for after each batch, and kept with it."""
        return json.dumps({"records": self.records, "words": self.words})

    def restore(self, version, state):
        """Takes over what an instance before this one kept: `version` is its `STATE_VERSION`."""
        if version != self.STATE_VERSION:
            raise ValueError(f"a state of version {version}, not {self.STATE_VERSION}")
        kept = json.loads(state)
        self.records, self.words = kept["records"], kept["words"]


Lifecycle, RecordProcessorSimple, State = stateful_consumer(Totals, name="{{name}}")
