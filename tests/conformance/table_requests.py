"""Requests about tables, generated from a seed: the same ones for every server that is asked."""

import random

KEYS = {"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}], "pk": "S"}
TABLES = {
    "hashed": (("pk", "S"), None),
    "ranged": (("pk", "S"), ("sk", "N")),
    "binary": (("pk", "B"), ("sk", "S")),
}
OWNERS = ["w1", "w2", "w3"]
NUMBERS = ["0", "-1", "1", "1.5", "-2.25", "1E+3", "0.000001", "12345678901234567890", "42"]
WORDS = ["", "a", "ab", "abc", "b", "é", "a\u0000b", "zz"]


def definition(name):
    """CreateTable's members of one of TABLES, with an index of all and one of keys."""
    hash_key, range_key = TABLES[name]
    schema = [{"AttributeName": hash_key[0], "KeyType": "HASH"}]
    attributes = {hash_key[0]: hash_key[1], "owner": "S", "rank": "N"}
    if range_key:
        schema.append({"AttributeName": range_key[0], "KeyType": "RANGE"})
        attributes[range_key[0]] = range_key[1]
    owner = {"AttributeName": "owner", "KeyType": "HASH"}
    return {
        "TableName": name,
        "KeySchema": schema,
        "AttributeDefinitions": [
            {"AttributeName": key, "AttributeType": kind} for key, kind in attributes.items()
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by-owner",
                "KeySchema": [owner, {"AttributeName": "rank", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            },
            {
                "IndexName": "owners",
                "KeySchema": [owner],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
        ],
    }


class Requests:
    """An endless sequence of (operation, members)."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def __iter__(self):
        kinds = [self.put, self.update, self.older_update, self.delete, self.get, self.query]
        kinds += [self.query_index, self.scan, self.put, self.update, self.wrong]
        while True:
            yield self.random.choice(kinds)(self.random.choice(list(TABLES)))

    def one(self, *choices):
        return self.random.choice(choices)

    def chance(self, probability):
        return self.random.random() < probability

    def scalar(self):
        return self.one(
            {"S": self.one(*WORDS)},
            {"N": self.one(*NUMBERS)},
            {"B": self.one(b"", b"\x00", b"ab", b"\xff\xfe")},
            {"BOOL": self.chance(0.5)},
            {"NULL": True},
        )

    def value(self, depth=2):
        if depth and self.chance(0.35):
            return self.one(
                {"L": [self.value(depth - 1) for _ in range(self.random.randrange(4))]},
                {"M": {self.one("x", "y", "z"): self.value(depth - 1) for _ in range(3)}},
                {"SS": self.random.sample(["a", "b", "c", "d"], self.random.randrange(1, 4))},
                {"NS": self.random.sample(["1", "2.5", "-3", "40"], self.random.randrange(1, 4))},
                {"BS": self.random.sample([b"a", b"b", b"\x00"], self.random.randrange(1, 3))},
            )
        return self.scalar()

    def key_value(self, kind):
        if kind == "N":
            return {"N": self.one("0", "-5", "1.5", "2", "10", "1E2", "-0.001")}
        words = ["a", "ab", "b", "k\u0000", "zzz"]
        text = self.one(*words)
        return {"B": text.encode()} if kind == "B" else {"S": text}

    def key(self, table):
        hash_key, range_key = TABLES[table]
        parts = [hash_key, range_key] if range_key else [hash_key]
        return {name: self.key_value(kind) for name, kind in parts}

    def item(self, table):
        item = self.key(table)
        if self.chance(0.7):
            item["owner"] = {"S": self.one(*OWNERS)}
        if self.chance(0.7):
            item["rank"] = {"N": self.one("1", "2", "3.5", "-7")}
        for name in self.random.sample(["n", "s", "l", "m", "set"], self.random.randrange(5)):
            item[name] = self.attribute(name)
        return item

    def attribute(self, name):
        if self.chance(0.2):
            return self.value()
        return {
            "n": lambda: {"N": self.one(*NUMBERS)},
            "s": lambda: {"S": self.one(*WORDS)},
            "l": lambda: {"L": [self.value(1) for _ in range(self.random.randrange(4))]},
            "m": lambda: {"M": {"x": self.value(1), "y": {"N": "1"}}},
            "set": lambda: self.one({"SS": ["a", "b"]}, {"NS": ["1", "2"]}),
        }[name]()

    # What expressions are made of.

    def path(self):
        return self.one("n", "s", "#l", "#l[0]", "#l[1]", "m.x", "m.y", "#set", "absent", "m.z")

    def used(self, members, *texts):
        """Adds the names and values that the expressions refer to."""
        text = " ".join(texts)
        names = {"#l": "l", "#set": "set", "#o": "owner"}
        names = {key: name for key, name in names.items() if key in text}
        values = {
            ":n": {"N": self.one(*NUMBERS)},
            ":s": {"S": self.one(*WORDS)},
            ":v": self.value(1),
            ":w": self.scalar(),
            ":ss": {"SS": self.random.sample(["a", "b", "c"], 2)},
            ":ns": {"NS": self.random.sample(["1", "2", "3"], 2)},
            ":l": {"L": [self.scalar()]},
            ":t": {"S": self.one("S", "N", "L", "M", "SS", "BOOL")},
            ":low": {"N": self.one("-5", "0", "1")},
            ":high": {"N": self.one("1", "2", "100")},
        }
        words = [
            word for word in values if word in text.replace(")", " ").replace(",", " ").split()
        ]
        if names:
            members["ExpressionAttributeNames"] = names
        if words:
            members["ExpressionAttributeValues"] = {word: values[word] for word in words}
        return members

    def sign(self):
        return self.one("=", "<>", "<", "<=", ">", ">=")

    def comparison(self):
        path = self.path()
        return self.one(
            lambda: " ".join((path, self.sign(), self.one(":n", ":s", ":v", ":w"))),
            lambda: f"attribute_exists({path})",
            lambda: f"attribute_not_exists({path})",
            lambda: f"attribute_type({path}, :t)",
            lambda: f"begins_with({path}, :s)",
            lambda: f"contains({path}, {self.one(':s', ':n', ':w')})",
            lambda: f"{path} BETWEEN :low AND :high",
            lambda: f"{path} IN (:n, :s, :w)",
            lambda: f"size({path}) {self.one('<', '>', '=', '>=')} :high",
            lambda: f"n {self.one('<', '=', '<>')} m.y",
        )()

    def condition(self, depth=2):
        if depth and self.chance(0.4):
            one, other = self.condition(depth - 1), self.condition(depth - 1)
            return self.one(f"{one} AND {other}", f"{one} OR {other}", f"NOT ({one})", f"({one})")
        return self.comparison()

    def older_condition(self):
        kind = self.one(
            "EQ",
            "NE",
            "LT",
            "LE",
            "GT",
            "GE",
            "NOT_NULL",
            "NULL",
            "BEGINS_WITH",
            "IN",
            "BETWEEN",
            "CONTAINS",
            "NOT_CONTAINS",
        )
        count = {"NOT_NULL": 0, "NULL": 0, "BETWEEN": 2, "IN": 2}.get(kind, 1)
        condition = {"ComparisonOperator": kind}
        if count:
            value = self.one({"N": "1"}, {"S": "a"}, {"N": "1000"})
            condition["AttributeValueList"] = [value] * count
        return condition

    def expected(self):
        name = self.one("n", "s", "absent", "owner")
        return {
            name: self.one(
                {"Exists": False},
                {"Value": self.scalar()},
                {"Exists": True, "Value": {"S": self.one(*OWNERS)}},
                self.older_condition(),
            )
        }

    # The operations.

    def guarded(self, members, *texts):
        if self.chance(0.3):
            members["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if not texts and self.chance(0.3):
            members["Expected"] = self.expected()
            return members
        if self.chance(0.5):
            condition = self.condition()
            members["ConditionExpression"] = condition
            texts = (*texts, condition)
        return self.used(members, *texts)

    def put(self, table):
        members = {"TableName": table, "Item": self.item(table)}
        if self.chance(0.5):
            members["ReturnValues"] = self.one("ALL_OLD", "NONE", "ALL_NEW")
        return "put_item", self.guarded(members)

    def delete(self, table):
        members = {"TableName": table, "Key": self.key(table)}
        if self.chance(0.5):
            members["ReturnValues"] = "ALL_OLD"
        return "delete_item", self.guarded(members)

    def update(self, table):
        clauses = {
            "SET": [
                "n = :n",
                "n = n + :n",
                "n = n - :n",
                "s = :s",
                "#l = list_append(#l, :l)",
                "#l = list_append(:l, #l)",
                "#l[1] = :v",
                "#l[7] = :v",
                "m.x = :v",
                "m.z = :w",
                "absent.x = :v",
                "n = if_not_exists(n, :n)",
                "s = if_not_exists(absent, :s)",
                "#o = :s",
                "m.y = m.y + :n",
                "s = m.x",
                "n = if_not_exists(absent, :n) + :n",
            ],
            "REMOVE": ["s", "#l[0]", "m.x", "absent", "n", "#l[0], #l[1]", "#o"],
            "ADD": ["n :n", "#set :ss", "#set :ns", "absent :n", "m.y :n"],
            "DELETE": ["#set :ss", "#set :ns", "absent :ss"],
        }
        sections = self.random.sample(list(clauses), self.one(1, 1, 2))
        expression = " ".join(f"{word} {self.one(*clauses[word])}" for word in sections)
        members = {"TableName": table, "Key": self.key(table), "UpdateExpression": expression}
        members["ReturnValues"] = self.one(
            "NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"
        )
        return "update_item", self.guarded(members, expression)

    def older_update(self, table):
        updates = {
            "n": [("PUT", {"N": "5"}), ("ADD", {"N": "1"}), ("DELETE", None)],
            "s": [("PUT", {"S": "older"}), ("DELETE", None)],
            "set": [("ADD", {"SS": ["z"]}), ("DELETE", {"SS": ["a"]}), ("PUT", {"NS": ["7"]})],
            "owner": [("PUT", {"S": self.one(*OWNERS)}), ("DELETE", None)],
            "l": [("ADD", {"L": [{"N": "1"}]}), ("PUT", {"L": []})],
        }
        chosen = {}
        for name in self.random.sample(list(updates), self.random.randrange(1, 4)):
            action, value = self.one(*updates[name])
            chosen[name] = {"Action": action} | ({"Value": value} if value else {})
        members = {"TableName": table, "Key": self.key(table), "AttributeUpdates": chosen}
        members["ReturnValues"] = self.one("ALL_NEW", "UPDATED_NEW", "ALL_OLD", "UPDATED_OLD")
        if self.chance(0.5):
            members["Expected"] = self.expected()
            if self.chance(0.3):
                members["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return "update_item", members

    def get(self, table):
        members = {"TableName": table, "Key": self.key(table), "ConsistentRead": True}
        if self.chance(0.5):
            paths = self.random.sample(
                ["n", "s", "#l[0]", "#l[2]", "m.x", "m.y", "#set", "absent"], 3
            )
            members["ProjectionExpression"] = ", ".join(paths)
            self.used(members, members["ProjectionExpression"])
        elif self.chance(0.3):
            members["AttributesToGet"] = ["n", "l", "absent"]
        return "get_item", members

    def shown(self, members, condition):
        texts = [condition]
        if self.chance(0.4):
            members["FilterExpression"] = self.condition(1)
            texts.append(members["FilterExpression"])
        if self.chance(0.3):
            members["ProjectionExpression"] = "n, #l, s"
            texts.append("#l")
        elif self.chance(0.3):
            members["Select"] = "COUNT"
        if self.chance(0.3):
            members["Limit"] = self.one(1, 2, 3)
        return texts

    def query(self, table):
        hash_key, range_key = TABLES[table]
        members = {"TableName": table, "ConsistentRead": True}
        condition = f"{hash_key[0]} = :hash"
        values = {":hash": self.key_value(hash_key[1])}
        if range_key and self.chance(0.7):
            name, kind = range_key
            part = self.one("= :a", "< :a", "<= :a", "> :a", ">= :a", "BETWEEN :a AND :b", "begins")
            if part == "begins":
                condition += f" AND begins_with({name}, :a)"
            else:
                condition += f" AND {name} {part}"
            values[":a"] = self.key_value(kind)
            if ":b" in part:
                values[":b"] = self.key_value(kind)
        if self.chance(0.3):
            members["ScanIndexForward"] = False
        texts = self.shown(members, condition)
        self.used(members, *texts)
        members["KeyConditionExpression"] = condition
        members.setdefault("ExpressionAttributeValues", {}).update(values)
        return "query", members

    def query_index(self, table):
        members = {"TableName": table, "IndexName": self.one("by-owner", "owners")}
        condition = "#o = :owner"
        values = {":owner": {"S": self.one(*OWNERS)}}
        if members["IndexName"] == "by-owner" and self.chance(0.5):
            condition += " AND " + self.one("rank > :rank", "rank <= :rank", "rank = :rank")
            values[":rank"] = {"N": self.one("1", "2", "3.5")}
        self.used(members, condition)
        members["KeyConditionExpression"] = condition
        members.setdefault("ExpressionAttributeValues", {}).update(values)
        return "query", members

    def scan(self, table):
        members = {"TableName": table, "ConsistentRead": True}
        if self.chance(0.4):
            members["FilterExpression"] = self.condition(1)
            self.used(members, members["FilterExpression"])
        elif self.chance(0.4):
            members["ScanFilter"] = {self.one("n", "s", "owner"): self.older_condition()}
        return "scan", members

    def wrong(self, table):
        """Something that is refused, if not by one server then by none."""
        key, item = self.key(table), self.item(table)
        return self.one(
            ("put_item", {"TableName": table, "Item": {"n": {"N": "1"}}}),
            ("put_item", {"TableName": table, "Item": {**item, "pk": {"BOOL": True}}}),
            ("put_item", {"TableName": table, "Item": {**item, "owner": {"N": "1"}}}),
            ("put_item", {"TableName": table, "Item": {**item, "owner": {"S": ""}}}),
            ("put_item", {"TableName": table, "Item": {**item, "n": {"N": "x"}}}),
            ("put_item", {"TableName": table, "Item": {**item, "n": {"N": "1e126"}}}),
            ("put_item", {"TableName": table, "Item": {**item, "n": {"N": "1" * 39}}}),
            ("put_item", {"TableName": table, "Item": {**item, "set": {"SS": []}}}),
            ("put_item", {"TableName": table, "Item": {**item, "set": {"SS": ["a", "a"]}}}),
            ("put_item", {"TableName": table, "Item": {**item, "n": {}}}),
            ("put_item", {"TableName": "missing", "Item": item}),
            ("get_item", {"TableName": table, "Key": {"other": {"S": "a"}}}),
            ("get_item", {"TableName": table, "Key": {**key, "more": {"S": "a"}}}),
            ("get_item", {"TableName": "missing", "Key": key}),
            ("get_item", {"TableName": table, "Key": key, "ProjectionExpression": "a, a.b"}),
            ("get_item", {"TableName": table, "Key": key, "ProjectionExpression": "name"}),
            (
                "update_item",
                {
                    "TableName": table,
                    "Key": key,
                    "UpdateExpression": "SET pk = :v",
                    "ExpressionAttributeValues": {":v": {"S": "a"}},
                },
            ),
            ("update_item", {"TableName": table, "Key": key, "UpdateExpression": "SET a = :v"}),
            (
                "update_item",
                {
                    "TableName": table,
                    "Key": key,
                    "UpdateExpression": "SET a = :v, a = :v",
                    "ExpressionAttributeValues": {":v": {"S": "a"}},
                },
            ),
            (
                "update_item",
                {
                    "TableName": table,
                    "Key": key,
                    "UpdateExpression": "SET a = #x",
                    "ExpressionAttributeNames": {"#y": "b"},
                },
            ),
            ("update_item", {"TableName": table, "Key": key, "UpdateExpression": "SET a + :v"}),
            (
                "update_item",
                {
                    "TableName": table,
                    "Key": key,
                    "UpdateExpression": "ADD a :v",
                    "ExpressionAttributeValues": {":v": {"S": "a"}},
                },
            ),
            (
                "update_item",
                {
                    "TableName": table,
                    "Key": key,
                    "UpdateExpression": "SET a = b + :v",
                    "ExpressionAttributeValues": {":v": {"S": "a"}},
                },
            ),
            (
                "update_item",
                {"TableName": table, "Key": key, "UpdateExpression": "SET a = nothing(b)"},
            ),
            (
                "update_item",
                {"TableName": table, "Key": key, "AttributeUpdates": {"n": {"Action": "PUT"}}},
            ),
            (
                "update_item",
                {
                    "TableName": table,
                    "Key": key,
                    "AttributeUpdates": {"n": {"Action": "DELETE"}},
                    "ConditionExpression": "attribute_exists(n)",
                },
            ),
            ("delete_item", {"TableName": table, "Key": key, "ConditionExpression": ""}),
            (
                "delete_item",
                {
                    "TableName": table,
                    "Key": key,
                    "ConditionExpression": "a = :v",
                    "ExpressionAttributeValues": {":v": {"S": "a"}, ":w": {"S": "b"}},
                },
            ),
            (
                "delete_item",
                {
                    "TableName": table,
                    "Key": key,
                    "ConditionExpression": "a < :v",
                    "ExpressionAttributeValues": {":v": {"BOOL": True}},
                },
            ),
            (
                "delete_item",
                {
                    "TableName": table,
                    "Key": key,
                    "ConditionExpression": "a BETWEEN :v AND :w",
                    "ExpressionAttributeValues": {":v": {"N": "2"}, ":w": {"N": "1"}},
                },
            ),
            ("delete_item", {"TableName": table, "Key": key, "Expected": {"n": {"Exists": True}}}),
            ("delete_item", {"TableName": table, "Key": key, "Expected": {"n": {}}}),
            ("query", {"TableName": table}),
            (
                "query",
                {
                    "TableName": table,
                    "KeyConditionExpression": "n = :v",
                    "ExpressionAttributeValues": {":v": {"S": "a"}},
                },
            ),
            (
                "query",
                {
                    "TableName": table,
                    "KeyConditionExpression": "pk > :v",
                    "ExpressionAttributeValues": {":v": {"S": "a"}},
                },
            ),
            (
                "query",
                {
                    "TableName": table,
                    "IndexName": "missing",
                    "KeyConditionExpression": "pk = :v",
                    "ExpressionAttributeValues": {":v": {"S": "a"}},
                },
            ),
            (
                "query",
                {
                    "TableName": table,
                    "IndexName": "owners",
                    "ConsistentRead": True,
                    "KeyConditionExpression": "#o = :v",
                    "ExpressionAttributeNames": {"#o": "owner"},
                    "ExpressionAttributeValues": {":v": {"S": "a"}},
                },
            ),
            ("scan", {"TableName": table, "Segment": 1}),
            ("scan", {"TableName": table, "Segment": 2, "TotalSegments": 2}),
            ("scan", {"TableName": table, "Select": "SPECIFIC_ATTRIBUTES"}),
        )
