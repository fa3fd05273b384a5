"""Every constraint of the public service model, operation by operation: what breaks one is
refused with AWS's text for it, and a wrong JSON type with SerializationException. The tests are
made from the model, one for each member and constraint."""

import base64
import copy
import re
import unittest

from server import ACCOUNT, REGION, Server, model

OPERATIONS = [
    "AddTagsToStream",
    "CreateStream",
    "DecreaseStreamRetentionPeriod",
    "DeleteStream",
    "DescribeStream",
    "DescribeStreamSummary",
    "GetRecords",
    "GetShardIterator",
    "IncreaseStreamRetentionPeriod",
    "ListShards",
    "ListStreams",
    "ListTagsForStream",
    "PutRecord",
    "PutRecords",
    "RemoveTagsFromStream",
]

# An input of each operation that breaks no constraint; the streams named do not exist.
NAME = {"StreamName": "no-such-stream"}
DATA = base64.b64encode(b"data").decode()
VALID = {
    "AddTagsToStream": {**NAME, "Tags": {"key": "value"}},
    "CreateStream": {"StreamName": "new", "ShardCount": 1},
    "DecreaseStreamRetentionPeriod": {**NAME, "RetentionPeriodHours": 24},
    "DeleteStream": NAME,
    "DescribeStream": NAME,
    "DescribeStreamSummary": NAME,
    "GetRecords": {"ShardIterator": "iterator"},
    "GetShardIterator": {
        **NAME,
        "ShardId": "shardId-000000000000",
        "ShardIteratorType": "LATEST",
    },
    "IncreaseStreamRetentionPeriod": {**NAME, "RetentionPeriodHours": 48},
    "ListShards": {**NAME, "ShardFilter": {"Type": "AT_LATEST"}},
    "ListStreams": {},
    "ListTagsForStream": NAME,
    "PutRecord": {**NAME, "Data": DATA, "PartitionKey": "key"},
    "PutRecords": {**NAME, "Records": [{"Data": DATA, "PartitionKey": "key"}]},
    "RemoveTagsFromStream": {**NAME, "TagKeys": ["key"]},
}

# JSON of every kind, and which kinds each type of the model takes.
KINDS = {"string": "x!", "number": 7, "boolean": True, "array": [], "object": {}}
TAKES = {
    "string": {"string"},
    # Text is no base64 here, and a time is a number of seconds.
    "blob": set(),
    "timestamp": {"number"},
    "integer": {"number"},
    "boolean": {"boolean"},
    "list": {"array"},
    "map": {"object"},
    "structure": {"object"},
}


def camel(name):
    return name[0].lower() + name[1:]


def pattern_text(shape):
    # The model writes some patterns with anchors that AWS's answers do not repeat.
    return re.sub(r"^\^\((.*)\)\$$", r"\1", shape.metadata["pattern"])


def broken(shape, value):
    """Every constraint of a scalar that `value` breaks, in AWS's words."""
    limits, found = shape.metadata, set()
    if shape.type_name == "string":
        low, high, size = "min", "max", len(value)
        words = "have length"
        if "enum" in limits and value not in limits["enum"]:
            found.add("Member must satisfy enum value set: [...]")
        if "pattern" in limits and not re.fullmatch(pattern_text(shape), value):
            found.add(f"Member must satisfy regular expression pattern: {pattern_text(shape)}")
    else:
        low, high, size = "min", "max", value
        words = "have value"
    if low in limits and size < limits[low]:
        found.add(f"Member must {words} greater than or equal to {limits[low]}")
    if high in limits and limits[high] < size:
        found.add(f"Member must {words} less than or equal to {limits[high]}")
    return found


def scalar_values(shape):
    """(name, value) of values that break a constraint of a string or a number."""
    limits = shape.metadata
    if shape.type_name == "string":
        if limits.get("min", 0) == 1:
            yield "empty", ""
        if "max" in limits:
            start = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/" if "arn:" in str(limits) else ""
            yield "too_long", start + "a" * (limits["max"] + 1 - len(start))
        if "pattern" in limits:
            yield "of_another_pattern", "a b"
            yield "ending_in_a_line_feed", "1\n"
        if "enum" in limits:
            yield "not_in_the_enumeration", "ANOTHER"
    elif shape.type_name == "integer":
        if "min" in limits:
            yield "too_small", limits["min"] - 1
        if "max" in limits:
            yield "too_great", limits["max"] + 1


def put(body, path, value):
    """A copy of `body` with `value` at `path`, made where it is missing."""
    body = copy.deepcopy(body)
    place = body
    for step, following in zip(path, path[1:]):
        if isinstance(step, str):
            place = place.setdefault(step, [{}] if isinstance(following, int) else {})
        else:
            place = place[step]
    if value is None:
        place.pop(path[-1], None)
    else:
        place[path[-1]] = value
    return body


def path_text(path):
    steps = (f"{step + 1}.member" if isinstance(step, int) else camel(step) for step in path)
    return ".".join(steps)


def text_limits(shape):
    limits = shape.metadata
    return (
        f"[Member must have length less than or equal to {limits['max']}, "
        f"Member must have length greater than or equal to {limits.get('min', 0)}]"
    )


def sizes(shape, fill):
    """(name, value, constraint) of collections with too few or too many members."""
    limits = shape.metadata
    if "min" in limits:
        text = f"Member must have length greater than or equal to {limits['min']}"
        yield "empty", fill(limits["min"] - 1), text
    if "max" in limits:
        text = f"Member must have length less than or equal to {limits['max']}"
        yield "too_many", fill(limits["max"] + 1), text


def cases(shape, path, valid):
    """(name, path, value, constraints) of everything below one member that can be broken.
    `valid` is a value of the member that breaks nothing."""
    kind = shape.type_name
    if kind in ("string", "integer"):
        for name, value in scalar_values(shape):
            yield name, path, value, broken(shape, value)
    elif kind == "blob" and "max" in shape.metadata:
        data = base64.b64encode(bytes(shape.metadata["max"] + 1)).decode()
        limit = shape.metadata["max"]
        yield "too_long", path, data, {f"Member must have length less than or equal to {limit}"}
    elif kind == "list":
        yield from list_cases(shape, path, valid)
    elif kind == "map":
        yield from map_cases(shape, path)
    elif kind == "structure":
        for name, member in shape.members.items():
            if name in shape.required_members:
                missing = {"Member must not be null"}
                yield f"{name}_missing", [*path, name], None, missing
            for case, *rest in cases(member, [*path, name], (valid or {}).get(name)):
                yield f"{name}_{case}", *rest


def list_cases(shape, path, valid):
    one = valid[0] if valid else "key"
    for name, value, text in sizes(shape, lambda count: [one] * count):
        yield name, path, value, {text}
    if shape.member.type_name == "structure":
        for name, *rest in cases(shape.member, [*path, 0], one):
            yield f"member_{name}", *rest
        return
    for name, value in scalar_values(shape.member):
        text = f"Member must satisfy constraint: {text_limits(shape.member)}"
        yield f"member_{name}", path, [value], {text}


def map_cases(shape, path):
    for name, value, text in sizes(shape, lambda count: {f"k{n}": "v" for n in range(count)}):
        yield name, path, value, {text}
    for name, value in scalar_values(shape.key):
        text = f"Map keys must satisfy constraint: {text_limits(shape.key)}"
        yield f"key_{name}", path, {value: "v"}, {text}
    for name, value in scalar_values(shape.value):
        text = f"Map value must satisfy constraint: {text_limits(shape.value)}"
        yield f"value_{name}", path, {"k": value}, {text}


def wrong_types(shape, path, valid):
    """(name, path, value) of JSON of a kind that the member's type does not take."""
    for kind, value in KINDS.items():
        if kind not in TAKES[shape.type_name]:
            yield f"as_{kind}", path, value
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            for case, *rest in wrong_types(member, [*path, name], (valid or {}).get(name)):
                yield f"{name}_{case}", *rest
    if shape.type_name == "list":
        if shape.member.type_name == "structure":
            for case, *rest in wrong_types(shape.member, [*path, 0], valid[0]):
                yield f"member_{case}", *rest
        else:
            yield "member_as_number", path, [7]
    if shape.type_name == "map":
        yield "value_as_number", path, {"key": 7}


class Constraints(unittest.TestCase):
    """Filled from the model below."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--no-throttle")
        cls.addClassCleanup(cls.server.stop)

    def refused(self, operation, body, code):
        status, answer = self.server.raw(operation, body)
        self.assertEqual(status, 400, answer)
        self.assertEqual(answer["__type"].split("#")[-1], code, answer)
        self.assertTrue(answer["message"], "an error without a text")
        return answer["message"]

    def check_violation(self, operation, path, value, constraints):
        message = self.refused(operation, put(VALID[operation], path, value), "ValidationException")
        head, _, rest = message.partition(" detected: ")
        plural = "s" if 1 < len(constraints) else ""
        self.assertEqual(head, f"{len(constraints)} validation error{plural}")
        parts = re.split(r"; (?=Value )", rest)
        told = set()
        for part in parts:
            told_path = f" at '{path_text(path)}' failed to satisfy constraint: "
            shown, _, text = part.partition(told_path)
            self.assertTrue(text, f"{part!r} does not name {path_text(path)}")
            self.check_shown(shown, value)
            told.add(re.sub(r"enum value set: \[.+\]", "enum value set: [...]", text))
        self.assertEqual(told, constraints)

    def check_shown(self, shown, value):
        """The value as the answer repeats it; a very long one is cut."""
        if value is None:
            self.assertEqual(shown, "Value null")
            return
        self.assertRegex(shown, re.compile(r"^Value '.*'$", re.DOTALL))
        shown = shown[len("Value '") : -1]
        if isinstance(value, (list, dict)) or shown.startswith("java.nio."):
            return
        if shown.endswith("..."):
            self.assertTrue(str(value).startswith(shown[:-3]) and 4000 < len(shown))
        else:
            self.assertEqual(shown, str(value))

    def test_every_input_used_here_is_itself_without_fault(self):
        for operation, body in VALID.items():
            _, answer = self.server.raw(operation, body)
            code = (answer or {}).get("__type", "")
            self.assertNotIn(code, ("ValidationException", "SerializationException"), operation)

    def test_every_member_of_every_enumeration_is_allowed(self):
        for operation in OPERATIONS:
            for name, shape in model().operation_model(operation).input_shape.members.items():
                for value in shape.metadata.get("enum", []):
                    _, answer = self.server.raw(operation, put(VALID[operation], [name], value))
                    code = (answer or {}).get("__type", "")
                    self.assertNotEqual(code, "ValidationException", (operation, name, value))

    def test_several_violations_are_told_together(self):
        body = {"StreamName": "", "ShardId": "a b", "ShardIteratorType": "X"}
        message = self.refused("GetShardIterator", body, "ValidationException")
        self.assertTrue(message.startswith("4 validation errors detected: Value '"), message)
        self.assertEqual(message.count("failed to satisfy constraint: "), 4)

    def test_null_is_as_good_as_absent(self):
        body = {**VALID["PutRecord"], "Data": None, "ExplicitHashKey": None}
        message = self.refused("PutRecord", body, "ValidationException")
        wanted = "Value null at 'data' failed to satisfy constraint: Member must not be null"
        self.assertEqual(message, f"1 validation error detected: {wanted}")

    def test_members_that_the_model_does_not_know_are_passed_over(self):
        status, answer = self.server.raw("ListStreams", {"NoSuchMember": {"a": [1]}})
        self.assertEqual(status, 200, answer)


def add(name, check):
    assert not hasattr(Constraints, name), name
    setattr(Constraints, name, check)


def add_tests():
    for operation in OPERATIONS:
        shape = model().operation_model(operation).input_shape
        for name, path, value, constraints in cases(shape, [], VALID[operation]):
            add(
                f"test_{operation}_{name}",
                lambda self, o=operation, p=path, v=value, c=constraints:
                    self.check_violation(o, p, v, c),
            )
        for name, path, value in wrong_types(shape, [], VALID[operation]):
            body = put(VALID[operation], path, value) if path else value
            if path or not isinstance(value, dict):
                add(
                    f"test_{operation}_{name}_is_no_value",
                    lambda self, o=operation, b=body:
                        self.refused(o, b, "SerializationException"),
                )
        text = next(n for n, m in shape.members.items() if m.type_name == "string").encode()
        broken_json = [b"{", b"{]", b'{"a":1}x', b"\xff\xfe", b'{"%s":"\xff"}' % text]
        for number, body in enumerate(broken_json):
            add(
                f"test_{operation}_broken_json_{number}",
                lambda self, o=operation, b=body: self.refused(o, b, "SerializationException"),
            )


add_tests()

if __name__ == "__main__":
    unittest.main()
