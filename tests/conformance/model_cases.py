"""What a public service model refuses and what it allows, member by member: the cases that the
tests of constraints are made of."""

import base64
import json
import re
import sys
import unicodedata
from dataclasses import dataclass, field
from functools import cache

from server import model


@dataclass(frozen=True)
class Service:
    """The operations of a service that are tested, and what cannot be read from its model."""

    name: str
    #: An input of each operation that breaks no constraint.
    valid: dict
    #: A text that fits each shape's pattern, for members that `valid` does not hold.
    texts: dict = field(default_factory=dict)
    #: Members that the server does not look into, each with the reason.
    left_out: dict = field(default_factory=dict)

    def input(self, operation):
        return model(self.name).operation_model(operation).input_shape

    def members(self, shape):
        left = self.left_out
        return {name: member for name, member in shape.members.items() if name not in left}

    def text(self, shape, valid):
        return valid if isinstance(valid, str) else self.texts.get(shape.name, "a")


# JSON of every kind, and which kinds each type of the model takes.
KINDS = {"string": "x!", "number": 7, "boolean": True, "array": [], "object": {}}
TAKES = {
    "string": {"string"},
    # Text is no base64 here, and a time is a number of seconds.
    "blob": set(),
    "timestamp": {"number"},
    "integer": {"number"},
    "long": {"number"},
    "double": {"number"},
    "boolean": {"boolean"},
    "list": {"array"},
    "map": {"object"},
    "structure": {"object"},
}

# Texts that fit some patterns of the models and no others.
TEXTS = {
    "of_another_pattern": "a b",
    "of_another_alphabet": "ключ٣",
    "of_blanks": "  ",
    "with_signs": "a:*",
    "in_the_name_of_aws": "aws:a",
    "ending_in_a_line_feed": "1\n",
}


def pattern_text(shape):
    # The model writes some patterns with anchors that AWS's answers do not repeat.
    return re.sub(r"^\^\((.*)\)\$$", r"\1", shape.metadata["pattern"])


@cache
def equivalent(pattern):
    """Java's regular expression as Python compiles it."""
    part = re.compile(r"\\p\{(\w)\}|\\.|\[(?:\\.|[^\]\\])*\]|\.")

    def translated(found):
        text = found.group()
        if text == ".":
            return "[^\n\r\x85\u2028\u2029]"
        return re.sub(r"\\p\{(\w)\}", lambda category: characters(category[1]), text)

    return re.compile(part.sub(translated, pattern), re.ASCII)


@cache
def characters(category):
    """All characters of a category of Unicode, to stand between brackets."""
    ranges = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code))[0] != category:
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


def broken(shape, value):
    """Every constraint of a scalar that `value` breaks, in AWS's words."""
    limits, found = shape.metadata, set()
    if shape.type_name == "string":
        low, high, size = "min", "max", len(value)
        words = "have length"
        if "enum" in limits and value not in limits["enum"]:
            found.add("Member must satisfy enum value set: [...]")
        if "pattern" in limits and not equivalent(pattern_text(shape)).fullmatch(value):
            found.add(f"Member must satisfy regular expression pattern: {pattern_text(shape)}")
    else:
        low, high, size = "min", "max", value
        words = "have value"
    if low in limits and size < limits[low]:
        found.add(f"Member must {words} greater than or equal to {limits[low]}")
    if high in limits and limits[high] < size:
        found.add(f"Member must {words} less than or equal to {limits[high]}")
    return found


def scalar_values(shape, text):
    """(name, value) at the edges of what a string or a number may be, on both sides. `text` is
    one that fits the pattern."""
    limits = shape.metadata
    if shape.type_name == "string":
        if "min" in limits:
            yield "empty", ""
        if "max" in limits:
            yield "of_full_length", text + text[-1] * (limits["max"] - len(text))
            yield "too_long", text + text[-1] * (limits["max"] + 1 - len(text))
        if "pattern" in limits:
            yield from TEXTS.items()
        for value in limits.get("enum", []):
            yield f"as_{value}", value
        if "enum" in limits:
            yield "not_in_the_enumeration", "ANOTHER"
    elif shape.type_name in ("integer", "long"):
        if "min" in limits:
            yield "smallest", limits["min"]
            yield "too_small", limits["min"] - 1
        if "max" in limits:
            yield "greatest", limits["max"]
            yield "too_great", limits["max"] + 1


def put(body, path, value):
    """A copy of `body` with `value` at `path`, made where it is missing."""
    if not path:
        return value
    # Unlike a deep copy this does not share what is equal in several places.
    body = json.loads(json.dumps(body))
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
    steps = (
        f"{step + 1}.member" if isinstance(step, int) else step[0].lower() + step[1:]
        for step in path
    )
    return ".".join(steps)


def text_limits(shape):
    """The constraints of a text as they are told of members of lists and maps."""
    limits = shape.metadata
    told = []
    if "max" in limits:
        told = [
            f"Member must have length less than or equal to {limits['max']}",
            f"Member must have length greater than or equal to {limits.get('min', 0)}",
        ]
    if "enum" in limits:
        told.append("Member must satisfy enum value set: [...]")
    if "pattern" in limits:
        told.append(f"Member must satisfy regular expression pattern: {pattern_text(shape)}")
    return f"[{', '.join(told)}]"


def sizes(shape, fill):
    """(name, value, constraints) of collections with just enough or one too many or too few."""
    limits = shape.metadata
    # No list has fewer than none.
    if limits.get("min", 0) > 0:
        text = f"Member must have length greater than or equal to {limits['min']}"
        yield "empty", fill(limits["min"] - 1), {text}
        yield "of_few", fill(limits["min"]), set()
    if "max" in limits:
        text = f"Member must have length less than or equal to {limits['max']}"
        yield "too_many", fill(limits["max"] + 1), {text}
        yield "of_many", fill(limits["max"]), set()


def cases(service, shape, path, valid):
    """(name, path, value, constraints) of everything below one member: values with the
    constraints that they break, if any. `valid` is a value of the member that breaks nothing."""
    kind = shape.type_name
    if kind in ("string", "integer", "long"):
        for name, value in scalar_values(shape, service.text(shape, valid)):
            yield name, path, value, broken(shape, value)
    elif kind == "blob" and "max" in shape.metadata:
        limit = shape.metadata["max"]
        text = f"Member must have length less than or equal to {limit}"
        yield "of_full_length", path, base64.b64encode(bytes(limit)).decode(), set()
        yield "too_long", path, base64.b64encode(bytes(limit + 1)).decode(), {text}
    elif kind == "list":
        yield from list_cases(service, shape, path, valid)
    elif kind == "map":
        yield from map_cases(service, shape, path)
    elif kind == "structure":
        for name, member in service.members(shape).items():
            if name in shape.required_members:
                missing = {"Member must not be null"}
                yield f"{name}_missing", [*path, name], None, missing
            for case, *rest in cases(service, member, [*path, name], (valid or {}).get(name)):
                yield f"{name}_{case}", *rest


def list_cases(service, shape, path, valid):
    one = valid[0] if valid else "key"
    for name, value, constraints in sizes(shape, lambda count: [one] * count):
        yield name, path, value, constraints
    if shape.member.type_name == "structure":
        for name, *rest in cases(service, shape.member, [*path, 0], one):
            yield f"member_{name}", *rest
        return
    text = f"Member must satisfy constraint: {text_limits(shape.member)}"
    for name, value in scalar_values(shape.member, one):
        constraints = {text} if broken(shape.member, value) else set()
        yield f"member_{name}", path, [value], constraints


def map_cases(service, shape, path):
    def entries(count):
        return {f"k{number}": "v" for number in range(count)}

    for name, value, constraints in sizes(shape, entries):
        yield name, path, value, constraints
    key_text = f"Map keys must satisfy constraint: {text_limits(shape.key)}"
    for name, value in scalar_values(shape.key, "k"):
        constraints = {key_text} if broken(shape.key, value) else set()
        yield f"key_{name}", path, {value: "v"}, constraints
    value_text = f"Map value must satisfy constraint: {text_limits(shape.value)}"
    for name, value in scalar_values(shape.value, "v"):
        constraints = {value_text} if broken(shape.value, value) else set()
        yield f"value_{name}", path, {"k": value}, constraints


def wrong_types(service, shape, path, valid):
    """(name, path, value) of JSON of a kind that the member's type does not take."""
    for kind, value in KINDS.items():
        if kind not in TAKES[shape.type_name]:
            yield f"as_{kind}", path, value
    if shape.type_name == "structure":
        for name, member in service.members(shape).items():
            below = wrong_types(service, member, [*path, name], (valid or {}).get(name))
            for case, *rest in below:
                yield f"{name}_{case}", *rest
    if shape.type_name == "list":
        if shape.member.type_name == "structure":
            for case, *rest in wrong_types(service, shape.member, [*path, 0], valid[0]):
                yield f"member_{case}", *rest
        else:
            yield "member_as_number", path, [7]
    if shape.type_name == "map":
        yield "value_as_number", path, {"key": 7}
