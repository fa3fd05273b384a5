"""boto3 makes a delivery stream whose records become rows of Parquet files, by a table as Glue
tells it; pyarrow and DuckDB read what comes out."""

import base64
import io
import json
import tempfile
import unittest
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from deliveries import Deliveries, extended_s3
from glue import glue_answer, rows_of
from server import Server

COLUMNS = {
    "id": "bigint",
    "small": "smallint",
    "tiny": "tinyint",
    "whole": "int",
    "name": "string",
    "code": "varchar(3)",
    "price": "decimal(12,2)",
    "weight": "double",
    "share": "float",
    "paid": "boolean",
    "day": "date",
    "at": "timestamp",
    "raw": "binary",
    "tags": "array<string>",
    "counts": "map<string,int>",
    "item": "struct<sku:string,sizes:array<struct<w:int,h:int>>>",
}
ORDER = {
    "ID": 9007199254740993,
    "small": -32768,
    "tiny": 127,
    "whole": -2147483648,
    "name": "caf\u00e9 \"x\"",
    "code": "abcdef",
    "price": "1234567890.12",
    "weight": 0.1,
    "share": 0.5,
    "paid": True,
    "day": "2026-11-30",
    "at": "2026-11-30T12:34:56.789012Z",
    "raw": "bytes",
    "tags": ["a", None, "b"],
    "counts": {"One": 1, "two": None},
    "item": {"sku": "S", "sizes": [{"w": 1, "h": 2}, {"w": 3}], "unknown": 1},
    "unknown": {"deep": [{}]},
}
ROW = {
    "id": 9007199254740993,
    "small": -32768,
    "tiny": 127,
    "whole": -2147483648,
    "name": "caf\u00e9 \"x\"",
    "code": "abc",
    "price": Decimal("1234567890.12"),
    "weight": 0.1,
    "share": 0.5,
    "paid": True,
    "day": date(2026, 11, 30),
    "at": datetime(2026, 11, 30, 12, 34, 56, 789012),
    "raw": b"bytes",
    "tags": ["a", None, "b"],
    "counts": {"one": 1, "two": None},
    "item": {"sku": "S", "sizes": [{"w": 1, "h": 2}, {"w": 3, "h": None}]},
}


class Conversion(Deliveries, unittest.TestCase):
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

    def table(self, columns, table="orders"):
        (self.database / f"{table}.json").write_text(glue_answer(columns))

    def conversion(self, parquet=None, deserializer=None):
        return rows_of("shop", "orders", parquet, deserializer)

    def make(self, conversion=None, **members):
        members = {
            "Prefix": "rows/",
            "ErrorOutputPrefix": "failed/!{firehose:error-output-type}/",
            "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
            "DataFormatConversionConfiguration": conversion or self.conversion(),
            **members,
        }
        answer = self.create(extended_s3(self.bucket, **members))
        self.assert_valid("CreateDeliveryStream", answer)

    def put_json(self, *records):
        self.put(*(json.dumps(record).encode() for record in records))

    def files(self):
        return [content for _, content in self.objects("rows/")]

    def with_duckdb(self, query):
        """The rows of a query over `files`, the Parquet files of this test."""
        root = self.server.data / "s3" / self.bucket / "rows"
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            files = f"read_parquet('{root}/**/*.parquet')"
            return connection.execute(query.format(files=files)).fetchall()

    def test_both_read_every_type_however_it_is_nested(self):
        for number, parquet in enumerate([
            {},
            {"Compression": "GZIP", "WriterVersion": "V2", "EnableDictionaryCompression": False},
            {"Compression": "UNCOMPRESSED", "PageSizeBytes": 65536, "BlockSizeBytes": 67108864},
        ]):
            with self.subTest(**parquet):
                self.name = f"every-type-{number}"
                self.bucket = f"{self.name}-s3"
                self.table(COLUMNS)
                self.make(self.conversion(parquet))
                self.put_json(ORDER, {})
                self.flush()
                [content] = self.files()
                table = pq.read_table(io.BytesIO(content))
                read, empty = table.to_pylist()
                read["counts"] = dict(read["counts"])
                self.assertEqual(read, ROW)
                self.assertEqual(empty, dict.fromkeys(COLUMNS))
                [(read,), (empty,)] = self.with_duckdb("SELECT files FROM {files} files")
                self.assertEqual(read, ROW)
                self.assertEqual(empty, dict.fromkeys(COLUMNS))
                codec = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0).column(0)
                self.assertEqual(codec.compression, parquet.get("Compression", "SNAPPY"))

    def test_what_was_put_is_what_a_query_counts(self):
        self.table({"id": "bigint", "region": "string", "amount": "decimal(10,2)"})
        self.make()
        orders = [
            {"id": number, "region": f"r{number % 7}", "amount": f"{number}.{number % 100:02}"}
            for number in range(5_000)
        ]
        self.put_json(*orders)
        self.flush()
        query = "SELECT region, count(*), sum(amount) FROM {files} GROUP BY 1 ORDER BY 1"
        wanted = [
            (
                f"r{rest}",
                sum(order["region"] == f"r{rest}" for order in orders),
                sum(Decimal(it["amount"]) for it in orders if it["region"] == f"r{rest}"),
            )
            for rest in range(7)
        ]
        self.assertEqual(self.with_duckdb(query), wanted)
        [(first, last)] = self.with_duckdb("SELECT min(id), max(id) FROM {files}")
        self.assertEqual((first, last), (0, 4_999))

    def test_records_that_do_not_fit_are_lines_and_their_neighbours_are_rows(self):
        self.table({"id": "int", "at": "timestamp"})
        self.make()
        wrong = [b"no json", b'{"id": 2147483648}', b'{"id": 1, "at": "then"}', b"[1]", b"\xff"]
        for number, record in enumerate(wrong):
            self.put(json.dumps({"id": number}).encode(), record)
        self.flush()
        rows = self.with_duckdb("SELECT id FROM {files} ORDER BY id")
        self.assertEqual(rows, [(number,) for number in range(len(wrong))])
        lines = [json.loads(it) for it in self.lines("failed/format-conversion-failed/")]
        self.assertEqual([base64.b64decode(line["rawData"]) for line in lines], wrong)
        codes = [line["lastErrorCode"].removeprefix("DataFormatConversion.") for line in lines]
        malformed, mismatch = "ParseError", "MalformedData"
        self.assertEqual(codes, [malformed, mismatch, mismatch, mismatch, malformed])
        for line in lines:
            table = line["dataCatalogTable"]
            self.assertEqual((table["databaseName"], table["tableName"]), ("shop", "orders"))
        status = self.status()
        self.assertEqual((status["delivered"], status["failed"]), (5, 5))

    def test_moments_are_read_as_the_deserializer_says(self):
        self.table({"at": "timestamp", "day": "date"})
        hive = {"HiveJsonSerDe": {"TimestampFormats": ["dd/MMM/yyyy:HH:mm:ss Z", "millis"]}}
        self.make(self.conversion(deserializer=hive))
        self.put_json(
            {"at": "30/Nov/2026:13:34:56 +0100", "day": "2026-11-30"},
            {"at": 1796042096789},
            {"at": "2026-11-30 12:34:56"},
        )
        self.flush()
        rows = self.with_duckdb('SELECT "at", day FROM {files}')
        moment = datetime(2026, 11, 30, 12, 34, 56)
        self.assertEqual([row[1] for row in rows], [date(2026, 11, 30), None, None])
        self.assertEqual(rows[0][0], moment)
        self.assertEqual(rows[1][0].replace(tzinfo=timezone.utc).timestamp(), 1796042096.789)
        self.assertEqual(rows[2][0], moment)

    def test_it_is_described_and_changed_as_the_model_says(self):
        self.table({"id": "int"})
        openx = {
            "ConvertDotsInJsonKeysToUnderscores": True,
            "CaseInsensitive": False,
            "ColumnToJsonKeyMappings": {"id": "order.number"},
        }
        conversion = self.conversion(deserializer={"OpenXJsonSerDe": openx})
        self.make(conversion)

        def described():
            answer = self.firehose.describe_delivery_stream(DeliveryStreamName=self.name)
            self.assert_valid("DescribeDeliveryStream", answer)
            [destination] = answer["DeliveryStreamDescription"]["Destinations"]
            described = destination["ExtendedS3DestinationDescription"]
            return described["DataFormatConversionConfiguration"]

        self.assertEqual(described(), conversion)
        self.put_json({"order.number": 7})
        self.flush()
        self.assertEqual(self.with_duckdb("SELECT * FROM {files}"), [(7,)])
        self.firehose.update_destination(
            DeliveryStreamName=self.name,
            CurrentDeliveryStreamVersionId="1",
            DestinationId="destinationId-000000000001",
            ExtendedS3DestinationUpdate={"DataFormatConversionConfiguration": {"Enabled": False}},
        )
        self.assertEqual(described(), {**conversion, "Enabled": False})

    def test_a_large_delivery_has_all_its_rows_in_files_of_several_row_groups(self):
        self.table({"id": "int", "text": "string"})
        self.make(self.conversion({"Compression": "UNCOMPRESSED"}))
        text = "".join(chr(97 + number * number % 26) for number in range(4_000))
        for start in range(0, 8_000, 250):
            self.put_json(*(
                {"id": number, "text": f"{number}{text}"} for number in range(start, start + 250)
            ))
        self.flush()
        [(count, distinct)] = self.with_duckdb("SELECT count(*), count(DISTINCT id) FROM {files}")
        self.assertEqual((count, distinct), (8_000, 8_000))
        groups = [pq.ParquetFile(io.BytesIO(it)).num_row_groups for it in self.files()]
        self.assertGreater(max(groups), 1)


if __name__ == "__main__":
    unittest.main()
