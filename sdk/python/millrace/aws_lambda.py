"""Functions for AWS Lambda as transforms: a handler that Data Firehose calls with an event, and
whose answer it takes, goes on as it is. The event holds what the host knows, in the members that
AWS gives it, and the answer is judged by AWS's rules (developer guide, "Transform source data in
Amazon Data Firehose")."""

import json
from base64 import b64decode, b64encode

from wit_world.exports.transform_simple import OutRecord
from wit_world.imports import records as columns
from wit_world.imports.types import Status

from . import Retry, fault, lifecycle, reason

__all__ = ["Context", "from_lambda"]

#: Bytes of an answer, as Lambda has them (quotas, "Invocation payload"): 6 MiB and a little.
ANSWER_BYTES_MAX = 6_291_556

# What AWS says of a function that failed, and of answers that it cannot take.
FAILED = "The Lambda function was successfully invoked but it returned an error result."
NOT_PARSED = (
    "Lambda.JsonProcessingException: There was an error parsing returned records from the Lambda "
    "function. Ensure that the returned records follow the status model required by Amazon Data "
    "Firehose."
)
WITHOUT_DATA = (
    "Lambda.InvalidReturnFormat: The data field cannot be null when the SourceType is DirectPut or "
    "KinesisStreamAsSource and processing result is Ok."
)


class Context:
    """What is true of a call. Nobody tells what time is left, nor under which version it runs."""

    def __init__(self, request_id: str, name: str):
        self.aws_request_id = request_id
        if name:
            self.function_name = name


class _WrongAnswer(Exception):
    """An answer that Firehose does not take. The host knows some of them by the outputs."""

    def __init__(self, message, outputs=None):
        super().__init__(message)
        self.outputs = outputs


def from_lambda(handler, init=lambda: None, name="", version=""):
    """The exports of a transform: `Lifecycle, TransformSimple = from_lambda(lambda_handler)`.

    `handler(event, context)` returns `{"records": […]}`. One that raises has the batch tried again,
    as often as `NumberOfRetries` says; then, and at once after an answer that breaks the rules, the
    host calls it with each record alone, so that only those fail that fail alone. `init` is called
    once on each instance before the first record; `name` is the function's name, too."""

    class TransformSimple:
        def transform(self, records):
            try:
                return _work_on(handler, records, name)
            except Exception as error:
                raise fault(error) from error

    return lifecycle(name, version, init), TransformSimple


def _work_on(handler, records, name):
    event = _event(records)
    ids = [record["recordId"] for record in event["records"]]
    answer = _answer(handler, event, Context(event["invocationId"], name))
    try:
        return _outputs(_parsed(answer), ids)
    except _WrongAnswer as wrong:
        # No outputs at all have the host call for each record alone.
        if len(records) > 1:
            return []
        if wrong.outputs is None:
            raise
        return wrong.outputs


def _event(records):
    """What the handler is called with: what is known of the records, and no members besides."""
    source = columns.source()
    _, _, service, region, *_ = [*source.arn.split(":"), "", "", ""]
    arrivals = columns.arrivals_ms()
    numbers = [
        number.high << 128 | number.middle << 64 | number.low
        for number in columns.sequence_numbers()
    ]
    ids = _unique_ids(arrivals, numbers)
    event = {"invocationId": f"{ids[0]}-{len(ids)}"}
    if service == "kinesis":
        event["sourceKinesisStreamArn"] = source.arn
    if service == "firehose":
        event["deliveryStreamArn"] = source.arn
    if region:
        event["region"] = region
    event["records"] = [
        {
            "recordId": record_id,
            "approximateArrivalTimestamp": arrival,
            "data": b64encode(record.data).decode(),
        }
        for record, record_id, arrival in zip(records, ids, arrivals)
    ]
    if source.shard is not None:
        _add_metadata(event["records"], source.shard, numbers)
    return event


def _add_metadata(records, shard, numbers):
    """What a record has that came of a stream."""
    slab = columns.partition_keys()
    starts = [0, *slab.ends]
    keys = [slab.bytes[start:end].decode() for start, end in zip(starts, slab.ends)]
    sub_numbers = columns.sub_sequence_numbers()
    for place, record in enumerate(records):
        metadata = {
            "shardId": shard,
            "approximateArrivalTimestamp": record["approximateArrivalTimestamp"],
            "subsequenceNumber": sub_numbers[place],
        }
        if keys:
            metadata["partitionKey"] = keys[place]
        if numbers:
            metadata["sequenceNumber"] = str(numbers[place])
        record["kinesisRecordMetadata"] = metadata


def _unique_ids(arrivals, numbers):
    """An id for each record, the same in every try: its sequence number. Records that were put to a
    delivery stream directly have none, and their ids are their times and places in the batch."""
    sub_numbers = columns.sub_sequence_numbers()
    places = {}
    for place, arrival in enumerate(arrivals):
        words = (numbers[place], sub_numbers[place]) if numbers else (arrival, place)
        record_id = "-".join(map(str, words))
        if record_id in places:
            # What one record was taken apart into has one number.
            record_id = f"{record_id}-{place}"
        places[record_id] = place
    return list(places)


def _answer(handler, event, context):
    """What the handler answers, as JSON; what it raises is an error that AWS calls again for."""
    try:
        answer = handler(event, context)
    except Retry:
        raise
    except Exception as error:
        raise Retry(f"{FAILED} {type(error).__name__}: {reason(error)}") from error
    try:
        return json.dumps(answer, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        words = f"Runtime.MarshalError: Unable to marshal response: {error}"
        raise Retry(f"{FAILED} {words}") from error


def _parsed(answer):
    """The records of an answer; none where it has none."""
    size = len(answer.encode("utf-8", "surrogatepass"))
    if size > ANSWER_BYTES_MAX:
        raise _WrongAnswer(
            f"Response payload size ({size} bytes) exceeded maximum allowed payload size "
            f"({ANSWER_BYTES_MAX} bytes)."
        )
    value = json.loads(answer)
    records = value.get("records") if isinstance(value, dict) else None
    return records if isinstance(records, list) else []


def _outputs(records, ids):
    """What becomes of the records with these ids, each of which must be answered once."""
    places = {record_id: place for place, record_id in enumerate(ids)}
    answers = [None] * len(ids)
    unknown = []
    for record in records:
        record_id = record.get("recordId") if isinstance(record, dict) else None
        place = places.get(record_id) if isinstance(record_id, str) else None
        if place is None:
            unknown.append(record_id)
            continue
        if answers[place] is not None:
            twice = [_out(place, Status.DROPPED), _out(place, Status.DROPPED)]
            raise _WrongAnswer("a record ID more than once", twice)
        answers[place] = record
    if None in answers:
        raise _WrongAnswer("no record ID", [])
    if unknown:
        words = f"The record ID {_shown(unknown[0])} was not received."
        raise _WrongAnswer(f"{NOT_PARSED} {words}")
    return [_output(place, answer) for place, answer in enumerate(answers)]


def _output(place, answer):
    match answer.get("result"):
        case "Ok":
            keys = _partition_keys(answer.get("metadata"))
            return _out(place, Status.OK, _decoded(answer.get("data")), keys)
        case "Dropped":
            return _out(place, Status.DROPPED)
        case "ProcessingFailed":
            return _out(place, Status.FAILED)
        case result:
            words = f"The result {_shown(result)} is none of Ok, Dropped and ProcessingFailed."
            raise _WrongAnswer(f"{NOT_PARSED} {words}")


def _out(place, status, data=b"", partition_keys=()):
    return OutRecord(place, status, data, list(partition_keys), None)


def _decoded(data):
    if data is None:
        raise _WrongAnswer(WITHOUT_DATA)
    try:
        digits = "".join(data.split())
        decoded = b64decode(digits, validate=True)
        is_canonical = b64encode(decoded).decode() == digits
    except (AttributeError, ValueError):
        is_canonical = False
    if not is_canonical:
        raise _WrongAnswer(f"{NOT_PARSED} The data is not base64.")
    return decoded


def _partition_keys(metadata):
    """Names and values. Empty ones are left out: the delivery stream says that it misses them."""
    keys = metadata.get("partitionKeys") if isinstance(metadata, dict) else None
    pairs = keys.items() if isinstance(keys, dict) else []
    for name, value in pairs:
        if value is not None and not isinstance(value, str):
            raise _WrongAnswer(f"{NOT_PARSED} The partition key {_shown(name)} is no string.")
    return [(name, value) for name, value in pairs if value]


def _shown(value) -> str:
    """The beginning of a value of the answer."""
    return json.dumps(value)[:100]
