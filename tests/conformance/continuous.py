"""Runs programs of continuous SQL with `millrace sql test`, and the same questions with DuckDB."""

import json
import math
import os
import subprocess

COLUMNS = [
    ("ID", "BIGINT", "$.id"),
    ("TS", "BIGINT", "$.ts"),
    ("K", "VARCHAR(8)", "$.k"),
    ("V", "INTEGER", "$.v"),
    ("D", "DOUBLE", "$.d"),
    ("S", "VARCHAR(64)", "$.s"),
]


def schema(columns):
    """An InputSchema of JSON records with these (name, type, path)."""
    return {
        "RecordFormat": {
            "RecordFormatType": "JSON",
            "MappingParameters": {"JSONMappingParameters": {"RecordRowPath": "$"}},
        },
        "RecordEncoding": "UTF-8",
        "RecordColumns": [
            {"Name": name, "SqlType": kind, "Mapping": path} for name, kind, path in columns
        ],
    }


def run(directory, program, records, columns=COLUMNS, arrival="TS"):
    """The rows that a program makes of records, in their order, and what it complained of."""
    paths = {name: os.path.join(directory, name) for name in ("app.sql", "in", "out", "schema")}
    with open(paths["app.sql"], "w") as file:
        file.write(program)
    with open(paths["in"], "w") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
    with open(paths["schema"], "w") as file:
        json.dump(schema(columns), file)
    command = [os.environ["MILLRACE"], "sql", "test", paths["app.sql"], paths["in"], paths["out"]]
    command += ["--schema", paths["schema"], "--arrival", arrival, "--bless"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if ended.returncode != 0:
        raise AssertionError(f"{program}\n{ended.stdout}{ended.stderr}")
    with open(paths["out"]) as file:
        return [json.loads(line) for line in file], ended.stderr


def comparable(value):
    """A value as both sides may write it."""
    if value is None or isinstance(value, (str, bool)):
        return value
    number = float(value)
    if number == 0:
        return 0.0
    # Sums of doubles depend on their order in the last digits.
    return round(number, 9 - math.floor(math.log10(abs(number))))


def rows_of(rows):
    """Rows in an order that does not depend on how they came."""
    rows = [tuple(comparable(value) for value in row) for row in rows]
    return sorted(rows, key=lambda row: [(str(type(value)), str(value)) for value in row])
