"""A function for AWS Lambda that has every answer, by what a record says. It knows nothing of
millrace, so that the tests call it, too."""

import base64
import json

ANSWERS = {
    "drop": {"result": "Dropped"},
    "fail": {"result": "ProcessingFailed", "data": ""},
    "no-result": {"data": ""},
    "wrong-result": {"result": "Fine", "data": ""},
    "no-data": {"result": "Ok"},
    "no-base64": {"result": "Ok", "data": "#"},
}


def lambda_handler(event, context):
    output = []
    for record in event["records"]:
        output += answers(record, event, context)
    return {"records": output}


def answers(record, event, context):
    data = base64.b64decode(record["data"])
    word, _, rest = data.decode("utf-8", "replace").partition(" ")
    own = {"recordId": record["recordId"]}
    if word in ANSWERS:
        return [own | ANSWERS[word]]
    match word:
        case "upper":
            return [own | ok(rest.upper().encode() + b"\n")]
        case "keys":
            customer, kind = rest.split(" ")
            return [own | keyed(data, {"customer": customer, "kind": kind})]
        case "empty-key":
            return [own | keyed(data, {"customer": "", "kind": rest})]
        case "number-key":
            return [own | keyed(data, {"customer": 7, "kind": rest})]
        case "told":
            return [own | ok(told(record, event, context))]
        case "large":
            return [own | {"result": "Ok", "data": "A" * 7_000_000}]
        case "kilobytes":
            return [own | ok(b"x" * 1024 * int(rest))]
        case "raise":
            raise ValueError(rest)
        case "missing":
            return []
        case "renamed":
            return [ok(b"") | {"recordId": "another"}]
        case "twice":
            return [own | ok(b""), own | ok(b"")]
        case "unknown":
            return [own | ok(b""), {"recordId": "of nobody", **ok(b"")}]
        case _:
            return [own | ok(data[::-1])]


def ok(data):
    return {"result": "Ok", "data": base64.b64encode(data).decode()}


def keyed(data, keys):
    return {**ok(data + b"\n"), "metadata": {"partitionKeys": keys}}


def told(record, event, context):
    """What the function is told besides data."""
    record = {name: value for name, value in record.items() if name != "data"}
    event = {name: value for name, value in event.items() if name != "records"}
    line = {
        "event": event,
        "record": record,
        "requestId": context.aws_request_id,
        "function": context.function_name,
    }
    return json.dumps(line).encode() + b"\n"
