"""Tables as Glue tells them, and what is said of them to make rows of records."""

import json

from deliveries import ROLE


def glue_answer(columns):
    """What `aws glue get-table` prints."""
    columns = [{"Name": name, "Type": kind, "Comment": ""} for name, kind in columns.items()]
    table = {
        "Name": "orders",
        "DatabaseName": "shop",
        "StorageDescriptor": {
            "Columns": columns,
            "Location": "s3://bucket/orders/",
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        },
        "PartitionKeys": [{"Name": "day_of_month", "Type": "string"}],
    }
    return json.dumps({"Table": table})


def rows_of(database, table, parquet=None, deserializer=None):
    """The configuration that makes rows of a table."""
    return {
        "SchemaConfiguration": {
            "RoleARN": ROLE, "DatabaseName": database, "TableName": table,
        },
        "InputFormatConfiguration": {
            "Deserializer": deserializer or {"OpenXJsonSerDe": {}},
        },
        "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": parquet or {}}},
        "Enabled": True,
    }
