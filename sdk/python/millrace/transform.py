"""Transforms for millrace in Python: one function for a record, and one line that makes the exports
of a component of it."""

from functools import cached_property

from wit_world.exports.transform_simple import OutRecord
from wit_world.imports import records as columns
from wit_world.imports.types import Status

from . import Retry, as_bytes, fault, lifecycle, reason

__all__ = ["Drop", "Keep", "Record", "Replace", "Retry", "Split", "transform"]


class Keep:
    """The record goes on as it is."""


class Drop:
    """It is left out on purpose."""


class Replace:
    """These bytes or this text go on in its place. `partition_keys`, names and values, are for
    prefixes with dynamic partitioning; `target` is a destination by name."""

    def __init__(self, data, partition_keys=None, target=None):
        self.data = as_bytes(data)
        self.partition_keys = list((partition_keys or {}).items())
        self.target = target


class Split:
    """Each part, bytes or text or a `Replace`, goes on as a record of its own; without parts the
    record is left out."""

    def __init__(self, parts):
        self.parts = [part if isinstance(part, Replace) else Replace(part) for part in parts]


class Record:
    """What a function is given: one record of a batch."""

    def __init__(self, index, data, batch):
        #: What the producer sent.
        self.data = data
        self._index = index
        self._batch = batch

    def text(self) -> str:
        """The data as text; raises where it is not UTF-8."""
        return self.data.decode()

    @property
    def partition_key(self) -> str:
        """What the producer chose to share a shard; empty where records have none."""
        return self._batch.partition_keys[self._index]

    @property
    def arrival_ms(self) -> int:
        """When it arrived, in milliseconds since 1970."""
        return self._batch.arrivals_ms[self._index]


class _Batch:
    """What the host knows of a batch, asked for once and only if a record does."""

    @cached_property
    def partition_keys(self):
        slab = columns.partition_keys()
        starts = [0, *slab.ends]
        return [slab.bytes[start:end].decode() for start, end in zip(starts, slab.ends)]

    @cached_property
    def arrivals_ms(self):
        return columns.arrivals_ms()


def transform(work, init=lambda: None, name="", version=""):
    """The exports of a transform: `Lifecycle, TransformSimple = transform(work)`.

    `work` is called with each `Record`, in order, and returns a `Keep`, `Replace`, `Drop` or
    `Split`. One that raises fails its record, with the error's words as the reason, and the others
    of the batch go on; a `Retry` has the whole batch tried again. `init` is called once on each
    instance before the first record."""

    class TransformSimple:
        def transform(self, records):
            batch = _Batch()
            try:
                return [
                    output
                    for record in records
                    for output in _work_on(work, Record(record.index, record.data, batch))
                ]
            except Retry as error:
                raise fault(error) from error

    return lifecycle(name, version, init), TransformSimple


def _work_on(work, record):
    try:
        return list(_outputs(work(record), record))
    except Retry:
        raise
    except Exception as error:
        return [_out(record, Status.FAILED, reason(error).encode())]


def _outputs(output, record):
    if isinstance(output, Keep):
        yield _out(record, Status.OK, record.data)
        return
    if isinstance(output, Replace):
        output = Split([output])
    if isinstance(output, Split) and output.parts:
        for part in output.parts:
            yield _out(record, Status.OK, part.data, part.partition_keys, part.target)
    elif isinstance(output, (Drop, Split)):
        yield _out(record, Status.DROPPED, b"")
    else:
        raise TypeError("the function returned none of Keep, Replace, Drop and Split")


def _out(record, status, data, partition_keys=(), target=None):
    return OutRecord(record._index, status, data, list(partition_keys), target)
