"""Functions written for AWS Lambda as transforms: what they are told, how each of their answers is
taken, and what becomes of records when an answer breaks AWS's rules. The function in Python is
called here as well, and says what should come out of both."""

import base64
import importlib.util
import json
import random
import re
import subprocess
import unittest
from pathlib import Path

from deliveries import extended_s3, function_arn, lambda_processor
from server import PROGRAM, REPOSITORY
from workshop import BUILD_SECONDS_MAX, LIMITS, Workshop

COMPONENTS = REPOSITORY / "tests/conformance/components/lambda"
README = "## Code that was a Lambda function"

FAILED = "The Lambda function was successfully invoked but it returned an error result."
NOT_PARSED = "Lambda.JsonProcessingException: There was an error parsing returned records"
# What is said of a record that is answered in a wrong way. Those that the host finds out about are
# called for again, on a fresh instance.
WRONG = {
    "missing": ("Lambda.MissingRecordId", "its answer has no output of record 0"),
    "renamed": ("Lambda.MissingRecordId", "its answer has no output of record 0"),
    "twice": ("Lambda.DuplicatedRecordId", "its answer has record 0 more than once"),
    "unknown": ("Lambda.FunctionError", 'The record ID "of nobody" was not received.'),
    "no-result": ("Lambda.FunctionError", "is none of Ok, Dropped and ProcessingFailed."),
    "wrong-result": ("Lambda.FunctionError", 'The result "Fine" is none of Ok, Dropped'),
    "no-data": ("Lambda.FunctionError", "The data field cannot be null when the SourceType"),
    "no-base64": ("Lambda.FunctionError", f"{NOT_PARSED}.* The data is not base64."),
    "large": ("Lambda.FunctionError", "exceeded maximum allowed payload size .6291556 bytes."),
    "number-key": ("Lambda.FunctionError", 'The partition key "customer" is no string.'),
}


def oracle():
    """The function in Python, without anything of millrace."""
    spec = importlib.util.spec_from_file_location("handler", COMPONENTS / "handler.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.lambda_handler


def answers(data):
    """What the function answers for these records, and their data where it is to be delivered."""
    records = [
        {"recordId": str(place), "data": base64.b64encode(one).decode()}
        for place, one in enumerate(data)
    ]
    found = oracle()({"records": records}, None)["records"]
    return [(one, base64.b64decode(one.get("data", ""))) for one in found]


def with_retries(plugin, count):
    processor = lambda_processor(plugin)
    parameter = {"ParameterName": "NumberOfRetries", "ParameterValue": str(count)}
    processor["Parameters"].append(parameter)
    return processor


class LambdaFunctions(Workshop, unittest.TestCase):
    plugin_limits = LIMITS
    prefixes = {"Prefix": "good/", "ErrorOutputPrefix": "failed/"}

    @classmethod
    def setUpClass(cls):
        cls.open_workshop()
        cls.deployed = set()
        super().setUpClass()

    def deploy(self, name, language, files):
        """Makes a plugin of these files, builds it and hands it to the server, once."""
        if name not in self.deployed:
            self.millrace("new", name, "--lang", language)
            for file, content in files.items():
                Path(self.workshop.name, name, file).write_text(content)
            self.millrace("build", name)
            self.assertIn("is in force", self.millrace("deploy", name))
            self.deployed.add(name)
        return name

    def function(self, language):
        """The function with all answers."""
        suffix = {"python": "py", "js": "js"}[language]
        names = [f"handler.{suffix}", f"plugin.{suffix}"]
        files = {name: (COMPONENTS / name).read_text() for name in names}
        return self.deploy(f"{language}-lambda", language, files)

    def variant(self, name, handler):
        """The function in JavaScript, which is called in another way."""
        function = (COMPONENTS / "handler.js").read_text()
        pattern = re.compile(r"export const handler =.*?^};\n", re.M | re.S)
        self.assertEqual(len(pattern.findall(function)), 1)
        files = {
            "handler.js": pattern.sub(handler, function),
            "plugin.js": (COMPONENTS / "plugin.js").read_text(),
        }
        return self.deploy(name, "js", files)

    def failures(self):
        """What is said of each record that failed, by its data."""
        lines = [json.loads(line) for line in self.lines("failed/")]
        return {base64.b64decode(line["rawData"]): line for line in lines}

    def delivered(self):
        return b"".join(content for _, content in self.objects("good/"))

    def counts(self):
        status = self.status()
        return [status[count] for count in ("delivered", "dropped", "failed", "trouble")]

    def takes_every_answer(self, plugin):
        self.create(extended_s3(self.bucket, lambda_processor(plugin), **self.prefixes))
        kinds = [
            b"upper gr\xc3\xbc\xc3\x9f gott %d",
            b"drop %d",
            b"fail %d",
            bytes(range(128, 256)) + b" %d",
            b"",
            b"keys a%d b",
            b"\xff\xfe\n%d\0",
            b"fallback %d\n",
        ]
        numbered = (kinds[number % len(kinds)] for number in range(1000))
        data = [kind % number if b"%d" in kind else kind for number, kind in enumerate(numbered)]
        self.put(*data)
        self.flush()
        expected = answers(data)
        self.assertEqual(len(expected), 1000)
        results = [answer["result"] for answer, _ in expected]
        good = b"".join(out for answer, out in expected if answer["result"] == "Ok")
        self.assertEqual(self.delivered(), good)
        counts = [results.count(result) for result in ("Ok", "Dropped", "ProcessingFailed")]
        self.assertEqual(counts, [750, 125, 125])
        self.assertEqual(self.counts(), [*counts, None])
        failures = self.failures()
        self.assertEqual(list(failures), [one for one in data if one.startswith(b"fail ")])
        for line in failures.values():
            said = [line["errorCode"], line["errorMessage"], line["attemptsMade"]]
            words = "ProcessingFailed status set for record"
            self.assertEqual(said, ["Lambda.ProcessingFailedStatus", words, 1])
            self.assertEqual(line["lambdaARN"], function_arn(plugin))

    def divides_wrong_answers(self, language):
        plugin = self.function(language)
        self.create(extended_s3(self.bucket, with_retries(plugin, 0), **self.prefixes))
        data = []
        for place, kind in enumerate(WRONG):
            data += [b"upper before %d" % place, f"{kind} of {place}".encode()]
        self.put(*data, b"upper at last")
        self.flush()
        good = [one for one in data if one.startswith(b"upper")] + [b"upper at last"]
        self.assertEqual(self.delivered(), b"".join(out for _, out in answers(good)))
        self.assertEqual(self.counts(), [len(WRONG) + 1, 0, len(WRONG), None])
        failures = self.failures()
        self.assertEqual(list(failures), data[1::2])
        for (kind, (code, words)), line in zip(WRONG.items(), failures.values()):
            with self.subTest(kind):
                self.assertEqual(line["errorCode"], code)
                self.assertRegex(line["errorMessage"], words)
                # With its batch, and alone.
                attempts = 2 if code == "Lambda.FunctionError" else 3
                self.assertEqual(line["attemptsMade"], attempts)

    def retries_what_throws(self, language, error):
        plugin = self.function(language)
        data = [b"raise at first", b"upper a", b"raise no good", b"upper b"]
        # The first is alone on a fresh instance, and the second on one that had worked before.
        for retries, attempts in [(0, [2, 3]), (2, [4, 5])]:
            self.name = f"{self.id().split('.')[-1][:50]}-{retries}"
            self.bucket = f"{language}-throws-{retries}"
            self.create(extended_s3(self.bucket, with_retries(plugin, retries), **self.prefixes))
            self.put(*data)
            self.flush()
            self.assertEqual(self.delivered(), b"A\nB\n")
            self.assertEqual(self.counts(), [2, 0, 2, None])
            failures = self.failures()
            self.assertEqual(list(failures), [data[0], data[2]])
            said = [(line["errorCode"], line["errorMessage"]) for line in failures.values()]
            words = [f"{FAILED} {error}: {what}" for what in ("at first", "no good")]
            self.assertEqual(said, [("Lambda.FunctionError", one) for one in words])
            self.assertEqual([line["attemptsMade"] for line in failures.values()], attempts)

    def divides_what_is_too_large_together(self, language):
        plugin = self.function(language)
        self.create(extended_s3(self.bucket, with_retries(plugin, 0), **self.prefixes))
        self.put(*[b"kilobytes 400"] * 13)
        self.flush()
        self.assertEqual(self.delivered(), b"x" * 400 * 1024 * 13)
        self.assertEqual(self.counts(), [13, 0, 0, None])

    def lays_records_below_their_keys(self, language):
        plugin = self.function(language)
        destination = extended_s3(
            self.bucket,
            lambda_processor(plugin),
            Prefix="c=!{partitionKeyFromLambda:customer}/!{partitionKeyFromLambda:kind}/",
            ErrorOutputPrefix="failed/",
            BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 60},
            DynamicPartitioningConfiguration={"Enabled": True},
        )
        self.create(destination)
        keyed = [f"keys {number % 3} k{number % 2}".encode() for number in range(60)]
        self.put(*keyed, b"empty-key x", b"upper without keys", b"drop")
        self.flush()
        expected = {}
        for answer, out in answers(keyed):
            keys = answer["metadata"]["partitionKeys"]
            folder = f"c={keys['customer']}/{keys['kind']}"
            expected[folder] = expected.get(folder, b"") + out
        found = {key.rpartition("/")[0]: content for key, content in self.objects("c=")}
        self.assertEqual(found, expected)
        failures = self.failures()
        self.assertEqual(list(failures), [b"empty-key x", b"upper without keys"])
        codes = {line["errorCode"] for line in failures.values()}
        self.assertEqual(codes, {"DynamicPartitioning.MetadataExtractionFailed"})
        self.assertEqual(self.counts(), [60, 1, 2, None])

    def names_each_part_of_a_record(self, language):
        """What one record of a stream was taken apart into has one number, and an id each."""
        plugin = self.function(language)
        parameters = {"SubRecordType": "DELIMITED", "Delimiter": "Ow=="}
        deaggregation = {
            "Type": "RecordDeAggregation",
            "Parameters": [
                {"ParameterName": name, "ParameterValue": value}
                for name, value in parameters.items()
            ],
        }
        destination = extended_s3(
            self.bucket,
            deaggregation,
            lambda_processor(plugin),
            Prefix="c=!{partitionKeyFromLambda:customer}/!{partitionKeyFromLambda:kind}/",
            ErrorOutputPrefix="failed/",
            BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 60},
            DynamicPartitioningConfiguration={"Enabled": True},
        )
        self.create_reading(self.stream(shards=1), destination)
        before = self.wrong_answers(plugin)
        for data in ("keys a 1;keys b 1;keys a 1;drop", "keys b 1"):
            self.kinesis.put_record(StreamName=self.name, Data=data, PartitionKey="a")
        self.flush()
        found = {key.rpartition("/")[0]: content for key, content in self.objects()}
        self.assertEqual(found, {"c=a/1": b"keys a 1\n" * 2, "c=b/1": b"keys b 1\n" * 2})
        self.assertEqual(self.counts(), [4, 1, 0, None])
        # Two of one id would be one that is answered twice.
        self.assertEqual(self.wrong_answers(plugin), before)

    def wrong_answers(self, plugin):
        """How many of them the server has seen of it so far."""
        line = rf'^millrace_plugin_faults_total\{{plugin="{plugin}",.*kind="answer".*\}} (\d+)$'
        return sum(map(int, re.findall(line, self.server.metrics(), re.MULTILINE)))

    def told(self):
        return [json.loads(line) for line in self.lines("good/")]

    def is_told_of_a_stream(self, language):
        """What the function is told of records of a stream; what the tests know of them."""
        plugin = self.function(language)
        arn = self.stream(shards=1)
        destination = extended_s3(self.bucket, lambda_processor(plugin), **self.prefixes)
        self.create_reading(arn, destination)
        put = [
            self.kinesis.put_record(StreamName=self.name, Data=b"told", PartitionKey=key)
            for key in ("ann", "b\u00f6b")
        ]
        self.flush()
        told = self.told()
        region = arn.split(":")[3]
        for line in told:
            known = {"sourceKinesisStreamArn": arn, "region": region}
            self.assertEqual(line["event"], {**known, "invocationId": line["requestId"]})
            self.assertEqual(line["function"], "answers")
            record, metadata = line["record"], line["record"]["kinesisRecordMetadata"]
            members = {"recordId", "approximateArrivalTimestamp", "kinesisRecordMetadata"}
            self.assertEqual(set(record), members)
            arrival = record["approximateArrivalTimestamp"]
            self.assertEqual(metadata["approximateArrivalTimestamp"], arrival)
            self.assertEqual(metadata["shardId"], "shardId-000000000000")
            self.assertEqual(metadata["subsequenceNumber"], 0)
        self.assertEqual(len({line["record"]["recordId"] for line in told}), 2)
        found = [line["record"]["kinesisRecordMetadata"] for line in told]
        self.assertEqual([metadata["partitionKey"] for metadata in found], ["ann", "b\u00f6b"])
        return found, [answer["SequenceNumber"] for answer in put]

    def is_told_of_direct_puts(self, language):
        plugin = self.function(language)
        self.create(extended_s3(self.bucket, lambda_processor(plugin), **self.prefixes))
        self.put(b"told", b"told")
        self.flush()
        told = self.told()
        arn = self.describe()["DeliveryStreamARN"]
        self.assertEqual(len({line["record"]["recordId"] for line in told}), 2)
        for line in told:
            known = {"deliveryStreamArn": arn, "region": arn.split(":")[3]}
            self.assertEqual(line["event"], {**known, "invocationId": line["requestId"]})
            members = {"recordId", "approximateArrivalTimestamp"}
            self.assertEqual(set(line["record"]), members)

    def test_every_answer_in_python_is_taken(self):
        self.takes_every_answer(self.function("python"))

    def test_every_answer_in_javascript_is_taken(self):
        self.takes_every_answer(self.function("js"))

    def test_an_answer_to_the_callback_is_taken(self):
        handler = (
            "export const handler = (event, context, callback) => {\n"
            "  const records = event.records.flatMap((it) => answers(it, event, context));\n"
            "  callback(null, { records });\n};\n"
        )
        self.takes_every_answer(self.variant("js-callback", handler))

    def test_an_answer_by_a_promise_is_taken_once_all_that_it_waits_for_is_there(self):
        handler = (
            "const later = (value) => Promise.resolve(value).then((it) => it);\n"
            "export const handler = async (event, context) => {\n"
            "  const all = event.records.map((record) => later(answers(record, event, context)));\n"
            "  return Promise.all(all).then((found) => ({ records: found.flat() }));\n};\n"
        )
        self.takes_every_answer(self.variant("js-promise", handler))

    def test_a_function_whose_await_was_compiled_to_yield_is_taken(self):
        # Compilers for ES2016 make this of `async` and `await`.
        handler = (
            "const run = (steps) => new Promise((resolve, reject) => {\n"
            "  const next = (value) => step(() => steps.next(value));\n"
            "  const fail = (error) => step(() => steps.throw(error));\n"
            "  const step = (go) => {\n"
            "    try {\n"
            "      const { done, value } = go();\n"
            "      done ? resolve(value) : Promise.resolve(value).then(next, fail);\n"
            "    } catch (error) {\n      reject(error);\n    }\n  };\n"
            "  next();\n});\n"
            "function* each(event, context) {\n"
            "  const records = [];\n"
            "  for (const record of event.records) {\n"
            "    records.push(...(yield Promise.resolve(answers(record, event, context))));\n"
            "  }\n"
            "  return { records };\n}\n"
            "export const handler = (event, context) => run(each(event, context));\n"
        )
        plugin = self.variant("js-compiled", handler)
        self.takes_every_answer(plugin)

    def test_an_async_function_that_waits_is_refused_when_it_is_built(self):
        name = "js-waits"
        self.millrace("new", name, "--lang", "js")
        source = (
            'import { fromLambda } from "./millrace/sdk/js/lambda.js";\n'
            "const handler = async (event) => ({ records: await event.records });\n"
            "export const { lifecycle, transformSimple } = fromLambda(handler);\n"
        )
        Path(self.workshop.name, name, "plugin.js").write_text(source)
        complaint = self.millrace("build", name, code=1)
        self.assertIn("the handler is an async function with await", complaint)
        self.assertIn("esbuild", complaint)

    def test_nothing_but_what_an_async_function_returns_is_its_answer(self):
        # What others return on its way is not: neither one that it calls nor a promise's value.
        handler = (
            "const other = async (record) => ({ records: [{ ...record, result: 'Ok' }] });\n"
            "export const handler = async (event, context) => {\n"
            "  event.records.map((record) => other(record));\n"
            "  const records = event.records.flatMap((it) => answers(it, event, context));\n"
            "  try {\n    JSON.parse('{');\n  } catch {}\n"
            "  other(event.records[0]);\n"
            "  if (context.functionName !== 'answers') return { records: [] };\n"
            "  return { records };\n};\n"
        )
        plugin = self.variant("js-returns", handler)
        self.create(extended_s3(self.bucket, with_retries(plugin, 0), **self.prefixes))
        self.put(b"upper a", b"drop", b"raise no good", b"upper b")
        self.flush()
        self.assertEqual(self.delivered(), b"A\nB\n")
        self.assertEqual(self.counts(), [2, 1, 1, None])
        [line] = self.failures().values()
        self.assertEqual(line["errorMessage"], f"{FAILED} RangeError: no good")

    def test_a_function_finds_what_it_uses_of_nodejs(self):
        source = (COMPONENTS / "node.js").read_text()
        plugin = (COMPONENTS / "plugin.js").read_text()
        name = self.deploy("js-node", "js", {"handler.js": source, "plugin.js": plugin})
        self.create(extended_s3(self.bucket, lambda_processor(name), **self.prefixes))
        chance = random.Random(7)
        pieces = [b"a", b"\xff", b"\xe2\x82", b"\xed\xa0\x80"]
        pieces += [character.encode() for character in "\u00e4\U0001f600\ufeff"]
        data = [b"".join(chance.choices(pieces, k=chance.randrange(8))) for _ in range(100)]
        data += [chance.randbytes(chance.randrange(40)) for _ in range(100)]
        self.put(*data)
        self.flush()
        records = [
            {"recordId": str(place), "data": base64.b64encode(one).decode()}
            for place, one in enumerate(data)
        ]
        program = (
            f"import {{ handler }} from {json.dumps(str(COMPONENTS / 'node.js'))};\n"
            f"handler({json.dumps({'records': records})}).then((answer) => {{\n"
            "  for (const { data } of answer.records) process.stdout.write(atob(data));\n});\n"
        )
        ended = subprocess.run(
            ["node", "--input-type=module"], input=program.encode(), capture_output=True, timeout=60
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        # Each character stands for a byte.
        expected = ended.stdout.decode().encode("latin-1").splitlines()
        self.assertEqual(len(expected), len(data))
        for found, wanted in zip(self.delivered().splitlines(), expected, strict=True):
            self.assertEqual(json.loads(found), json.loads(wanted))

    def test_the_readme_makes_a_plugin_of_a_function(self):
        section = (REPOSITORY / "README.md").read_text().split(f"\n{README}\n", 1)[1]
        section = section.split("\n## ", 1)[0]
        found = re.findall(r"^```(\w+)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
        languages = [language for language, _ in found]
        self.assertEqual(languages, ["js", "sh", "js", "json", "json", "sh", "python"])
        handler, new, plugin, records, expected, rest, python = (text for _, text in found)
        folder = Path(self.workshop.name)
        (folder / "handler.js").write_text(handler)
        self.runs(new)
        (folder / "orders/plugin.js").write_text(plugin)
        (folder / "orders/tests/greetings.in.jsonl").write_text(records)
        (folder / "orders/tests/greetings.out.jsonl").write_text(expected)
        self.name, self.bucket = "orders", "orders"
        self.stream(shards=1)
        self.assertIn("2 records as expected, 0 not", self.runs(rest))
        for line in records.splitlines():
            data = json.loads(line)["data"]
            self.kinesis.put_record(StreamName="orders", Data=data, PartitionKey="a")
        self.flush()
        outcomes = [json.loads(line) for line in expected.splitlines()]
        lines = "".join(outcome.get("data", "") for outcome in outcomes)
        self.assertEqual([content for _, content in self.objects()], [lines.encode()])
        # What is tried here with all answers.
        in_python = (COMPONENTS / "plugin.py").read_text().replace("answers", "orders")
        self.assertIn(python, in_python)

    def runs(self, text):
        """Commands of the README; what they printed."""
        programs = Path(self.workshop.name, "programs")
        programs.mkdir(exist_ok=True)
        if not (programs / "millrace").exists():
            (programs / "millrace").symlink_to(PROGRAM)
        environment = self.environment()
        environment["PATH"] = f"{programs}:{environment['PATH']}"
        ended = subprocess.run(
            ["bash", "-euc", text],
            env=environment,
            cwd=self.workshop.name,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS_MAX,
        )
        self.assertEqual(ended.returncode, 0, f"{ended.stdout}{ended.stderr}")
        return ended.stdout

    def test_wrong_answers_in_python_fail_their_records_alone(self):
        self.divides_wrong_answers("python")

    def test_wrong_answers_in_javascript_fail_their_records_alone(self):
        self.divides_wrong_answers("js")

    def test_a_function_in_python_that_raises_is_called_again(self):
        self.retries_what_throws("python", "ValueError")

    def test_a_function_in_javascript_that_throws_is_called_again(self):
        self.retries_what_throws("js", "RangeError")

    def test_records_in_python_whose_answer_is_too_large_together_are_delivered(self):
        self.divides_what_is_too_large_together("python")

    def test_records_in_javascript_whose_answer_is_too_large_together_are_delivered(self):
        self.divides_what_is_too_large_together("js")

    def test_partition_keys_of_a_function_in_python_make_prefixes(self):
        self.lays_records_below_their_keys("python")

    def test_partition_keys_of_a_function_in_javascript_make_prefixes(self):
        self.lays_records_below_their_keys("js")

    def test_each_part_of_a_record_has_an_id_in_python(self):
        self.names_each_part_of_a_record("python")

    def test_each_part_of_a_record_has_an_id_in_javascript(self):
        self.names_each_part_of_a_record("js")

    def test_a_function_in_python_is_told_where_records_of_a_stream_lie(self):
        found, numbers = self.is_told_of_a_stream("python")
        self.assertEqual([metadata["sequenceNumber"] for metadata in found], numbers)

    def test_a_function_in_javascript_is_told_where_records_of_a_stream_lie(self):
        found, _ = self.is_told_of_a_stream("js")
        # The engine's numbers do not hold it.
        self.assertNotIn("sequenceNumber", found[0])

    def test_a_function_in_python_is_told_of_direct_puts(self):
        self.is_told_of_direct_puts("python")

    def test_a_function_in_javascript_is_told_of_direct_puts(self):
        self.is_told_of_direct_puts("js")


if __name__ == "__main__":
    unittest.main()
