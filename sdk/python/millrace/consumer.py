"""Consumers for millrace in Python: a class whose functions are called as the records of a shard
come, and one line that makes the exports of a component of it. What a batch writes to tables and
emits becomes durable with it or not at all."""

from wit_world.imports import checkpoint, emit as streams, table as tables
from wit_world.imports.types import Slab

from . import Refused, Retry, as_bytes, asked, fault, lifecycle, told

__all__ = [
    "Consumer",
    "Record",
    "Refused",
    "Retry",
    "Table",
    "consumer",
    "done",
    "emit",
    "stateful_consumer",
]


class Record:
    """A record of a batch, with `data`, `partition_key`, `sequence_number`, `sub_sequence_number`
    and `arrival_ms`."""

    def __init__(self, given):
        self.data = given.data
        self.partition_key = given.partition_key
        self.sequence_number = given.sequence_number
        self.sub_sequence_number = given.sub_sequence_number
        self.arrival_ms = given.arrival_ms

    def text(self) -> str:
        """The data as text; raises where it is not UTF-8."""
        return self.data.decode()


class Table:
    """A table by name, which the operator must have granted. Keys and values are bytes or text."""

    def __init__(self, name: str):
        self.name = name

    def get(self, key) -> bytes | None:
        """The value; none where there is none."""
        return asked(tables.get, self.name, as_bytes(key))

    def get_text(self, key) -> str | None:
        """The value as text; none where there is none."""
        value = self.get(key)
        return None if value is None else value.decode()

    def put(self, key, value) -> None:
        asked(tables.put, self.name, as_bytes(key), as_bytes(value))

    def delete(self, key) -> None:
        asked(tables.delete, self.name, as_bytes(key))

    def scan(self, prefix=b"", first=b"", limit=1000):
        """Keys and values, in order of the keys, from `first` on."""
        found = asked(tables.scan, self.name, as_bytes(prefix), as_bytes(first), limit)
        return [(entry.key, entry.value) for entry in found]


def emit(stream: str, partition_key, data) -> None:
    """Puts a record into another stream, which the operator must have granted."""
    key, data = as_bytes(partition_key), as_bytes(data)
    asked(streams.put_records, stream, Slab(key, [len(key)]), Slab(data, [len(data)]))


def done(records: int) -> None:
    """The first so many records of the batch are done, whatever becomes of the rest."""
    asked(checkpoint.done, records)


class Consumer:
    """What an author's class inherits: `process` must be there, all others may be."""

    def start(self, assignment) -> None:
        """Called once for the shard of the instance: `application`, `stream` and `shard`."""

    def process(self, records: list[Record], millis_behind: int) -> None:
        """Works on one batch. What it raises fails the batch; a `Retry` has it tried again."""
        raise NotImplementedError

    def shard_ended(self) -> None:
        """The shard was split or merged, and all its records are done."""

    def shutdown_requested(self) -> None:
        """The application is being stopped, or swapped for another version."""

    def lease_lost(self) -> None:
        """Another worker has the shard. Nothing that is asked from here on has an effect."""

    #: Which layout `snapshot` gives.
    STATE_VERSION = 0

    def snapshot(self) -> bytes | str:
        """Of a `stateful_consumer`: the state after all records so far, at most 256 KiB. Asked for
        after each batch, and kept with it in the same commit."""
        return b""

    def restore(self, version: int, state: bytes) -> None:
        """Of a `stateful_consumer`: takes over the state that a version kept whose `STATE_VERSION`
        was this, right after `start`. Where it raises, the version before goes on."""
        if state:
            size = f"{len(state)} bytes"
            raise ValueError(f"there is a state of version {version}, of {size}, and no restore()")


def consumer(kind, init=lambda: None, name="", version=""):
    """The exports of a consumer: `Lifecycle, RecordProcessorSimple = consumer(MyConsumer)`."""
    return stateful_consumer(kind, init, name, version)[:2]


def stateful_consumer(kind, init=lambda: None, name="", version=""):
    """The exports of a consumer that keeps something in its memory from batch to batch, whose
    manifest has `state = true` in `[build]`:
    `Lifecycle, RecordProcessorSimple, State = stateful_consumer(MyConsumer)`."""
    work = kind()

    class RecordProcessorSimple:
        def initialize(self, assignment):
            _tell(work.start, assignment)

        def process(self, records, millis_behind):
            try:
                work.process([Record(record) for record in records], millis_behind)
            except Exception as error:
                raise fault(error) from error

        def lease_lost(self):
            work.lease_lost()

        def shard_ended(self):
            _tell(work.shard_ended)

        def shutdown_requested(self):
            _tell(work.shutdown_requested)

    class State:
        def state_version(self):
            return work.STATE_VERSION

        def snapshot(self):
            return as_bytes(_tell(work.snapshot))

        def restore(self, version, state):
            _tell(work.restore, version, state)

    return lifecycle(name, version, init), RecordProcessorSimple, State


def _tell(call, *values):
    try:
        return call(*values)
    except Exception as error:
        raise told(error) from error
