"""boto3 makes delivery streams whose records become rows of ORC files; pyarrow, which reads them by
the ORC project's own library, finds the JSON that went in."""

import io
import json
import random
import tempfile
import unittest
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from pyarrow import orc

from conversion_tests import COLUMNS, ORDER, ROW, glue_answer
from deliveries import ROLE, Deliveries, extended_s3
from server import Server

SETTINGS = [
    {},
    {"Compression": "ZLIB", "FormatVersion": "V0_11"},
    {"Compression": "NONE", "StripeSizeBytes": 8 << 20},
    {"Compression": "SNAPPY", "FormatVersion": "V0_11"},
]
EPOCH = datetime(1970, 1, 1)


def plain(value):
    """Maps as dicts, which pyarrow tells as lists of pairs."""
    if isinstance(value, list):
        if value and all(isinstance(it, tuple) for it in value):
            return {key: plain(item) for key, item in value}
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


class Orc(Deliveries, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        cls.addClassCleanup(directory.cleanup)
        cls.database = Path(directory.name, "shop")
        cls.database.mkdir()
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
            config.write(f'[glue]\ndirectory = "{directory.name}"\n')
            config.flush()
            cls.server = Server("--no-throttle", "--config", config.name)
        cls.addClassCleanup(cls.server.stop)
        cls.firehose = cls.server.firehose()

    def make(self, columns, settings, name=None, **members):
        """A delivery stream into ORC files of a table with these columns."""
        if name:
            self.name, self.bucket = name, f"{name}-s3"
        (self.database / "orders.json").write_text(glue_answer(columns))
        members = {
            "Prefix": "rows/",
            "ErrorOutputPrefix": "failed/!{firehose:error-output-type}/",
            "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
            "DataFormatConversionConfiguration": {
                "SchemaConfiguration": {
                    "RoleARN": ROLE, "DatabaseName": "shop", "TableName": "orders",
                },
                "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
                "OutputFormatConfiguration": {"Serializer": {"OrcSerDe": settings}},
                "Enabled": True,
            },
            **members,
        }
        answer = self.create(extended_s3(self.bucket, **members))
        self.assert_valid("CreateDeliveryStream", answer)

    def put_json(self, *records):
        self.put(*(json.dumps(record).encode() for record in records))

    def files(self):
        self.flush()
        objects = self.objects("rows/")
        for key, _ in objects:
            self.assertTrue(key.endswith(".orc"), key)
        return [orc.ORCFile(io.BytesIO(content)) for _, content in objects]

    def rows(self):
        return [plain(row) for file in self.files() for row in file.read().to_pylist()]

    def test_every_type_is_read_however_it_is_nested(self):
        for number, settings in enumerate(SETTINGS):
            with self.subTest(**settings):
                self.make(COLUMNS, settings, f"orc-every-type-{number}")
                self.put_json(ORDER, {})
                [file] = self.files()
                read, empty = file.read().to_pylist()
                self.assertEqual(plain(read), ROW)
                self.assertEqual(empty, dict.fromkeys(COLUMNS))
                codec = settings.get("Compression", "SNAPPY")
                self.assertEqual(file.compression, "UNCOMPRESSED" if codec == "NONE" else codec)
                version = settings.get("FormatVersion", "V0_12").removeprefix("V").replace("_", ".")
                self.assertEqual(file.file_version, version)
                self.assertIn(b"millrace.rows", file.metadata)

    def test_extreme_values_are_read_as_they_were_put(self):
        columns = {
            "t": "tinyint", "s": "smallint", "i": "int", "l": "bigint", "f": "float", "d": "double",
            "n": "decimal(38,10)", "x": "string", "c": "char(2)", "day": "date", "at": "timestamp",
            "a": "array<array<int>>", "m": "map<int,array<string>>",
        }
        digits = "9" * 28 + "." + "9" * 10
        text = "\u00e9" * (150 * 1024)
        given = [
            {"t": -128, "s": -32768, "i": -(2 ** 31), "l": -(2 ** 63), "f": -1.5, "d": -1.7e308,
             "n": f"-{digits}", "x": "", "c": "abc", "day": "1899-12-31",
             "at": "1901-02-03 04:05:06.789012", "a": [], "m": {}},
            {"t": 127, "s": 32767, "i": 2 ** 31 - 1, "l": 2 ** 63 - 1, "f": 1.5, "d": 5e-324,
             "n": digits, "x": text, "c": "a", "day": "9999-12-31",
             "at": "2262-01-01T23:59:59.999999999Z", "a": [[], None, [1, None]],
             "m": {"7": [], "-8": None, "9": ["x", None]}},
            {"at": "1969-12-31T23:59:58.999999Z", "day": "1582-10-10", "n": "-0.0000000001"},
            {"at": "1969-12-31T23:59:59Z", "day": "0001-01-01"},
            {"at": "1970-01-01T00:00:00.000001Z"},
        ]
        none = dict.fromkeys(columns)
        wanted = [
            {**given[0], "n": Decimal(f"-{digits}"), "c": "ab", "day": date(1899, 12, 31),
             "at": datetime(1901, 2, 3, 4, 5, 6, 789012)},
            {**given[1], "n": Decimal(digits), "day": date(9999, 12, 31),
             "at": datetime(2262, 1, 1, 23, 59, 59, 999999),
             "m": {7: [], -8: None, 9: ["x", None]}},
            {**none, "at": datetime(1969, 12, 31, 23, 59, 58, 999999), "day": date(1582, 10, 10),
             "n": Decimal("-0.0000000001")},
            {**none, "at": datetime(1969, 12, 31, 23, 59, 59), "day": date(1, 1, 1)},
            {**none, "at": datetime(1970, 1, 1, 0, 0, 0, 1)},
        ]
        for number, settings in enumerate(SETTINGS):
            with self.subTest(**settings):
                self.make(columns, settings, f"orc-extremes-{number}")
                self.put_json(*given)
                rows = self.rows()
                for row in rows:
                    # Of an empty map nothing tells it from an empty list.
                    row["m"] = row["m"] or (None if row["m"] is None else {})
                    row["at"] = row["at"] and row["at"].replace(tzinfo=None)
                    # A column of characters is filled up to its length.
                    row["c"] = row["c"] and row["c"].rstrip()
                self.assertEqual(rows, wanted)

    def test_a_large_delivery_has_all_its_rows_in_files_of_several_stripes(self):
        columns = {"id": "int", "text": "string", "list": "array<bigint>", "at": "timestamp"}
        self.make(columns, {"Compression": "NONE", "StripeSizeBytes": 8 << 20})
        text = "".join(chr(97 + number * number % 26) for number in range(300))
        orders = [
            {"id": number, "text": f"{number}{text}", "list": [number] * (number % 3),
             "at": number}
            for number in range(100_000)
        ]
        for start in range(0, len(orders), 500):
            self.put_json(*orders[start:start + 500])
        files = self.files()
        self.assertGreater(max(file.nstripes for file in files), 2)
        rows = [row for file in files for row in file.read().to_pylist()]
        rows.sort(key=lambda row: row["id"])
        self.assertEqual(len(rows), len(orders))
        for row, order in zip(rows, orders):
            moment = EPOCH + timedelta(seconds=order["at"])
            self.assertEqual({**row, "at": row["at"].replace(tzinfo=None)}, {**order, "at": moment})
        # One stripe by itself, without the others.
        largest = max(files, key=lambda file: file.nstripes)
        stripe = largest.read_stripe(1, columns=["id"]).to_pydict()["id"]
        self.assertEqual(stripe, list(range(stripe[0], stripe[0] + len(stripe))))

    def test_rows_by_chance_are_read_as_they_were_put(self):
        chance = random.Random(7)

        def kind(depth=0):
            roll = chance.randrange(13 if depth < 3 else 9)
            if roll == 9:
                return f"array<{kind(depth + 1)}>"
            if roll == 10:
                return f"map<string,{kind(depth + 1)}>"
            if roll > 10:
                count = chance.randrange(1, 4)
                fields = [f"f{number}:{kind(depth + 1)}" for number in range(count)]
                return f"struct<{','.join(fields)}>"
            return ["boolean", "tinyint", "int", "bigint", "double", "string", "date",
                    "timestamp", "decimal(20,3)"][roll]

        def split(fields):
            depth, part = 0, ""
            for sign in fields:
                depth += (sign in "<(") - (sign in ">)")
                if sign == "," and not depth:
                    yield part
                    part = ""
                else:
                    part += sign
            yield part

        def value(of):
            """As JSON, and as it is read."""
            if chance.randrange(6) == 0:
                return None, None
            if of.startswith("array<"):
                items = [value(of[6:-1]) for _ in range(chance.randrange(4))]
                return [one for one, _ in items], [other for _, other in items]
            if of.startswith("map<string,"):
                items = {f"k{number}": value(of[11:-1]) for number in range(chance.randrange(1, 4))}
                return tuple({key: it[side] for key, it in items.items()} for side in (0, 1))
            if of.startswith("struct<"):
                fields = dict(field.split(":", 1) for field in split(of[7:-1]))
                items = {key: value(inner) for key, inner in fields.items()}
                return tuple({key: it[side] for key, it in items.items()} for side in (0, 1))
            number = chance.choice([chance.randrange(-5, 5), chance.getrandbits(30), 7])
            match of:
                case "boolean":
                    return number % 2 == 0, number % 2 == 0
                case "tinyint":
                    return number % 128, number % 128
                case "int":
                    return number, number
                case "bigint":
                    return number << 33, number << 33
                case "double":
                    return number / 7, number / 7
                case "string":
                    text = "a\u00e9\n\"" * (number % 9)
                    return text, text
                case "date":
                    day = date(1970, 1, 1) + timedelta(days=number % 40_000 - 10_000)
                    return day.isoformat(), day
                case "timestamp":
                    moment = EPOCH + timedelta(microseconds=number * 999_983)
                    if -1 < (moment - EPOCH).total_seconds() < 0:
                        moment = EPOCH
                    return moment.isoformat(timespec="microseconds"), moment
                case "decimal(20,3)":
                    text = f"{number}.{abs(number) % 1000:03}"
                    return text, Decimal(text)

        for run in range(25):
            settings = SETTINGS[run % len(SETTINGS)]
            columns = {f"c{number}": kind() for number in range(chance.randrange(1, 6))}
            with self.subTest(run=run, columns=columns, settings=settings):
                self.make(columns, settings, f"orc-chance-{run}")
                rows = []
                for _ in range(chance.randrange(1, 400)):
                    rows.append({name: value(of) for name, of in columns.items()})
                self.put_json(*({name: it[0] for name, it in row.items()} for row in rows))
                wanted = [{name: it[1] for name, it in row.items()} for row in rows]
                self.assertEqual(self.rows(), wanted)

    def test_it_is_described_as_the_model_says(self):
        settings = {
            "StripeSizeBytes": 8 << 20, "BlockSizeBytes": 64 << 20, "RowIndexStride": 1000,
            "EnablePadding": True, "PaddingTolerance": 0.25, "Compression": "ZLIB",
            "BloomFilterColumns": ["id"], "BloomFilterFalsePositiveProbability": 0.01,
            "DictionaryKeyThreshold": 0.8, "FormatVersion": "V0_11",
        }
        self.make({"id": "int"}, settings)
        answer = self.firehose.describe_delivery_stream(DeliveryStreamName=self.name)
        self.assert_valid("DescribeDeliveryStream", answer)
        [destination] = answer["DeliveryStreamDescription"]["Destinations"]
        described = destination["ExtendedS3DestinationDescription"]
        described = described["DataFormatConversionConfiguration"]["OutputFormatConfiguration"]
        self.assertEqual(described, {"Serializer": {"OrcSerDe": settings}})


if __name__ == "__main__":
    unittest.main()
