"""Records become rows of a real PostgreSQL, by a Redshift destination whose URL is one of
PostgreSQL: each once, whoever is killed when."""

import base64
import json
import os
import subprocess
import tempfile
import unittest

from deliveries import ROLE, Deliveries, wait_until
from postgres import PASSWORD, USER, Postgres
from server import Server

ROUNDS, RECORDS_PER_ROUND = 6, 400


class Databases(Deliveries):
    """A database, and a server that may call it."""

    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres()
        cls.addClassCleanup(cls.postgres.close)
        cls.config = tempfile.NamedTemporaryFile("w", suffix=".toml")
        cls.addClassCleanup(cls.config.close)
        cls.config.write(f'[egress]\nallow = ["{cls.postgres.address}"]\n')
        cls.config.flush()
        cls.start()
        cls.addClassCleanup(lambda: cls.server.stop())

    @classmethod
    def start(cls, *flags):
        cls.server = Server("--no-throttle", "--config", cls.config.name, *flags)
        cls.firehose = cls.server.firehose()

    def destination(self, **members):
        return {
            "RoleARN": ROLE,
            "ClusterJDBCURL": self.postgres.url(),
            "CopyCommand": {"DataTableName": self.name, "CopyOptions": "JSON 'auto'"},
            "Username": USER,
            "Password": PASSWORD,
            "RetryOptions": {"DurationInSeconds": 600},
            "S3BackupMode": "Disabled",
            "S3Configuration": {
                "RoleARN": ROLE,
                "BucketARN": f"arn:aws:s3:::{self.bucket}",
                "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
            },
            "CloudWatchLoggingOptions": {
                "Enabled": True, "LogGroupName": "g", "LogStreamName": "s",
            },
            **members,
        }

    def setUp(self):
        super().setUp()
        # PostgreSQL knows no longer names.
        self.name = self.name[:60]

    def make(self, table="(id int, word text)", **members):
        if table:
            self.postgres.run(f"CREATE TABLE {self.name} {table}")
        answer = self.firehose.create_delivery_stream(
            DeliveryStreamName=self.name,
            RedshiftDestinationConfiguration=self.destination(**members),
        )
        self.assert_valid("CreateDeliveryStream", answer)
        self.wait_until_active()

    def rows(self):
        return self.postgres.run(f"SELECT id, word FROM {self.name} ORDER BY id")

    def update(self, version, **changes):
        self.firehose.update_destination(
            DeliveryStreamName=self.name,
            CurrentDeliveryStreamVersionId=version,
            DestinationId="destinationId-000000000001",
            RedshiftDestinationUpdate=changes,
        )

    def wait_until_told(self, text):
        def is_told():
            return text in (self.status()["trouble"] or "")

        wait_until(is_told, f"{text} is told")


class Redshift(Databases, unittest.TestCase):
    """One delivery stream and one table for each test."""

    def test_rows_are_there_and_those_that_do_not_fit_in_the_error_output(self):
        self.make("(id int PRIMARY KEY, word text)")
        bad = [b'{"id":"text"}', b"no json", b'{"id":1}']
        self.put(b'{"id":1,"word":"a|b"}', b'{"id":2}\n', bad[0], bad[1])
        self.flush()
        self.put(bad[2])
        self.flush()
        self.assertEqual(self.rows(), ["1|a|b", "2|"])
        letters = self.letters()
        self.assertEqual(
            sorted(base64.b64decode(letter["rawData"]) for letter in letters), sorted(bad),
        )
        codes = {letter["errorCode"] for letter in letters}
        self.assertEqual(codes, {"Redshift.DataLoadFailed"})
        for key, _ in self.objects():
            self.assertTrue(key.startswith("redshift-failed/"), key)

    def test_a_table_that_is_missing_pauses_the_delivery(self):
        self.make(table=None)
        self.put(b'{"id":1,"word":"a"}')
        self.wait_until_told("42P01")
        self.postgres.run(f"CREATE TABLE {self.name} (id int, word text)")
        self.flush()
        self.assertEqual(self.rows(), ["1|a"])
        self.assertEqual(self.objects(), [])

    def test_a_password_that_is_wrong_pauses_the_delivery(self):
        self.make(Password="not that one")
        self.put(b'{"id":1,"word":"a"}')
        self.wait_until_told("28P01")
        self.update("1", Password=PASSWORD)
        self.flush()
        self.assertEqual(self.rows(), ["1|a"])
        self.assertEqual(self.objects(), [])

    def test_lines_become_rows_by_the_options_of_the_copy_command(self):
        command = {
            "DataTableName": f'public."{self.name}"',
            "DataTableColumns": "word, id",
            "CopyOptions": "FORMAT AS CSV DELIMITER AS ';' NULL AS 'none'",
        }
        self.make(CopyCommand=command)
        self.put(b'"a;""b""";1\nnone;2', b"c;3\n")
        self.flush()
        self.assertEqual(self.rows(), ['1|a;"b"', "2|", "3|c"])

    def test_it_is_described_as_it_was_made_and_changed_member_by_member(self):
        self.make()
        self.update("1", RetryOptions={"DurationInSeconds": 60}, Username="other")
        answer = self.firehose.describe_delivery_stream(DeliveryStreamName=self.name)
        self.assert_valid("DescribeDeliveryStream", answer)
        [destination] = answer["DeliveryStreamDescription"]["Destinations"]
        described = destination["RedshiftDestinationDescription"]
        wanted = self.destination(RetryOptions={"DurationInSeconds": 60}, Username="other")
        del wanted["Password"]
        s3 = described.pop("S3DestinationDescription")
        self.assertLessEqual(wanted.pop("S3Configuration").items(), s3.items())
        self.assertEqual(described, wanted)


class Killed(Databases, unittest.TestCase):
    """Both sides end in the middle of what they do."""

    def test_each_record_is_a_row_once_whoever_is_killed_when(self):
        data = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        self.addCleanup(data.cleanup)
        self.server.stop()
        type(self).start("--data", os.path.join(data.name, "data"))
        self.make("(id int, word text)")
        count = 0
        for number in range(ROUNDS):
            ids = range(count, count + RECORDS_PER_ROUND)
            self.put(*[json.dumps({"id": it, "word": "x" * 500}).encode() for it in ids])
            count += RECORDS_PER_ROUND
            self.put(b"no json")
            if number % 2:
                self.postgres.kill()
                self.server.kill()
                self.postgres.start()
            else:
                self.server.kill()
            # What is left of it is its log.
            self.server.stop()
            type(self).start("--data", os.path.join(data.name, "data"))
        self.flush()
        sums = self.postgres.run(
            f"SELECT count(*), count(DISTINCT id), min(id), max(id) FROM {self.name}"
        )
        self.assertEqual(sums, [f"{count}|{count}|0|{count - 1}"])
        self.assertEqual(len(self.letters()), ROUNDS)
        status = self.status()
        self.assertEqual(
            (status["recordsIn"], status["delivered"], status["failed"], status["lost"]),
            (count + ROUNDS, count, ROUNDS, 0),
        )


class Encrypted(Databases, unittest.TestCase):
    """A server that speaks TLS with a certificate that nobody vouches for."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        certificate, key = (f"{cls.postgres.data}/server.{end}" for end in ("crt", "key"))
        subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                "-subj", "/CN=localhost", "-out", certificate, "-keyout", key,
            ],
            check=True, capture_output=True,
        )
        owner = os.stat(cls.postgres.data)
        for path in [certificate, key]:
            os.chown(path, owner.st_uid, owner.st_gid)
            os.chmod(path, 0o600)
        cls.postgres.run("ALTER SYSTEM SET ssl = on")
        cls.postgres.kill()
        cls.postgres.start()

    def test_records_go_over_tls_with_whoever_answers_where_that_is_asked_for(self):
        self.make(ClusterJDBCURL=self.postgres.url(sslmode="require"))
        # The database itself says how a row came.
        self.postgres.run(
            "CREATE FUNCTION over_tls() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "NEW.word := (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()); "
            "RETURN NEW; END $$; "
            f"CREATE TRIGGER tls BEFORE INSERT ON {self.name} FOR EACH ROW EXECUTE FUNCTION "
            "over_tls()"
        )
        self.put(b'{"id":1}')
        self.flush()
        self.assertEqual(self.rows(), ["1|true"])

    def test_a_certificate_that_nobody_vouches_for_is_not_spoken_to(self):
        self.make(ClusterJDBCURL=self.postgres.url(sslmode="verify-full"))
        self.put(b'{"id":1}')
        self.wait_until_told("TLS")
        self.assertEqual(self.rows(), [])


if __name__ == "__main__":
    unittest.main()
