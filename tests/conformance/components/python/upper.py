"""A transform that writes ASCII letters large and drops records that begin with a `#`.
`componentize-py` makes a component of it for the world transformer-simple."""

from wit_world import exports
from wit_world.exports.lifecycle import Manifest
from wit_world.exports.transform_simple import InRecord, OutRecord
from wit_world.imports.types import Status


class Lifecycle(exports.Lifecycle):
    def describe(self) -> Manifest:
        return Manifest("upper", "1")

    def init(self) -> None:
        pass


class TransformSimple(exports.TransformSimple):
    def transform(self, records: list[InRecord]) -> list[OutRecord]:
        return [upper(record) for record in records]


def upper(record):
    if record.data.startswith(b"#"):
        return OutRecord(record.index, Status.DROPPED, b"", [], None)
    return OutRecord(record.index, Status.OK, record.data.upper(), [], None)
