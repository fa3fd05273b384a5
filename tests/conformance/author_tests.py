"""Plugins of each language as their author gets them: `plugin new` makes one, `build` installs what
the language needs and builds it, `test` runs its fixtures, a server delivers through it, one
version of a consumer hands its state to the next, and secrets and calls over HTTP are what a server
grants."""

import json
import re
import shutil
import socket
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from deliveries import extended_s3, lambda_processor, wait_until
from server import REGION, REPOSITORY
from workshop import LIMITS, Workshop

# What blocks of an SDK's README are, in their order, and the world of those that are checked: that
# compiles them, and another transform would show nothing more.
README_BLOCKS = {"transform": "transformer-simple", "lookup": None, "state": "consumer-simple"}
COMPONENTS = REPOSITORY / "tests/conformance/components/sdk"
LANGUAGES = ("js", "python", "c")
# What the template of a consumer with state asks for.
GRANTS = "".join(
    f'[[plugin_grants]]\nname = "{language}-state"\nemit = ["totals"]\n' for language in LANGUAGES
)


# What the fixtures of `answers` ask for, besides what a server of these tests is.
SECRET = "hush-hush-0123456789"
FIXTURE_HOST = "api.example.com:80"


class Target:
    """A server of HTTP that says what it heard, one that is away, and one that comes later."""

    def __init__(self):
        heard = self.heard = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                said = f"POST {self.path} {self.headers['X-Api-Key']} {body.decode()}"
                heard.append(f"{self.headers['Content-Type']} {said}")
                answer = said.encode()
                self.send_response(201)
                self.send_header("X-Answer", "yes")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments):
                pass

        self.handler, self.servers = Handler, []
        self.away, self.late = unheard(), unheard()
        self.port = self.serve(unheard())
        self.away_port, self.late_port = (it.getsockname()[1] for it in (self.away, self.late))

    def serve(self, bound):
        """Answers on this socket from now on; its port."""
        address = bound.getsockname()
        server = ThreadingHTTPServer(address, self.handler, bind_and_activate=False)
        server.socket.close()
        server.socket = bound
        server.server_activate()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.servers.append(server)
        return address[1]

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()
        self.away.close()
        self.late.close()

    def hosts(self):
        """The servers that are granted; `localhost` is the first one by a name that is not."""
        return [f"127.0.0.1:{self.port}", f"127.0.0.1:{self.away_port}"]


def unheard():
    """A socket with a port of its own that takes no connection."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    return bound


class Authors(Workshop, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.open_workshop()
        cls.target = Target()
        cls.addClassCleanup(cls.target.stop)
        secret = Path(cls.workshop.name, "api_key")
        secret.touch(mode=0o600)
        secret.write_text(f"{SECRET}\n")
        grants = "".join(
            f'[[plugin_grants]]\nname = "{language}-answers"\n'
            f"secrets = {{ api_key = {json.dumps(str(secret))} }}\n"
            f"http = {json.dumps([FIXTURE_HOST, *cls.target.hosts()])}\n"
            'addresses = ["127.0.0.0/8"]\n'
            for language in LANGUAGES
        )
        grants += (
            '[[plugin_grants]]\nname = "c-caller"\n'
            f'http = ["127.0.0.1:{cls.target.late_port}"]\naddresses = ["127.0.0.0/8"]\n'
        )
        cls.plugin_limits = f"{LIMITS}\n{GRANTS}{grants}"
        super().setUpClass()

    def built(self, language, kind):
        name = f"{language}-{kind}"
        flags = ("consumer", "--state") if kind == "state" else (kind,)
        self.millrace("new", name, "--lang", language, "--world", *flags)
        print(self.millrace("build", name).strip())
        return name

    def delivers(self, language):
        name = self.built(language, "transform")
        self.runs_fixtures(name, 4)
        checked = self.millrace("check", name, "--config", str(self.config))
        self.assertIn("transformer-simple", checked)
        self.assertIn("is in force", self.millrace("deploy", name))
        prefixes = {"Prefix": "good/", "ErrorOutputPrefix": "failed/"}
        self.create(extended_s3(self.bucket, lambda_processor(name), **prefixes))
        self.put(*(f"guest {number}".encode() for number in range(100)), b" ", b"\xff")
        self.flush()
        expected = [f"hello, guest {number}!".encode() for number in range(100)]
        self.assertEqual(self.lines("good/"), expected)
        status = self.status()
        counts = [status[count] for count in ("delivered", "dropped", "failed", "trouble")]
        self.assertEqual(counts, [100, 1, 1, None])
        self.assertEqual(self.plugin(name)["counters"], {"without_name": 1})

    def answers(self, language, source):
        """Every answer of the language's SDK, and what it makes of secrets and calls, by a plugin
        of the tests."""
        name = f"{language}-answers"
        self.millrace("new", name, "--lang", language)
        folder = Path(self.workshop.name, name)
        shutil.copy(COMPONENTS / source, folder / source)
        shutil.rmtree(folder / "tests")
        (folder / "tests").mkdir()
        for file in ("answers.in.jsonl", "answers.out.jsonl"):
            shutil.copy(COMPONENTS / file, folder / "tests" / file)
        hosts = [FIXTURE_HOST, *self.target.hosts(), f"localhost:{self.target.port}"]
        with open(folder / "plugin.toml", "a") as manifest:
            grants = f'secrets = ["api_key"]\nhttp = {json.dumps(hosts)}\n'
            manifest.write(f"\n[grants]\n{grants}")
        self.millrace("build", name)
        self.runs_fixtures(name, 10)
        checked = self.millrace("check", name, "--config", str(self.config))
        grants = f'secrets = {{ api_key = "FILE" }}\nhttp = {json.dumps(sorted(hosts))}\n'
        self.assertIn(grants, checked)
        self.calls(name)

    def calls(self, name):
        """A secret of a file, a server that is granted, one that is not, and one that is away."""
        self.assertIn("is in force", self.millrace("deploy", name))
        prefixes = {"Prefix": "good/", "ErrorOutputPrefix": "failed/"}
        processor = lambda_processor(name)
        processor["Parameters"].append({"ParameterName": "NumberOfRetries", "ParameterValue": "1"})
        self.create(extended_s3(self.bucket, processor, **prefixes))
        there, away = self.target.hosts()
        refused, unanswered = f"localhost:{self.target.port}", f"http://{away}/{name}"
        self.put(
            b"tell api_key",
            f"call http://{there}/{name}".encode(),
            f"call http://{refused}/{name}".encode(),
            f"try {unanswered}".encode(),
            f"call {unanswered}".encode(),
        )
        self.flush()
        said = f"POST /{name} {SECRET} grüß gott"
        delivered = [line.decode() for line in self.lines("good/")]
        self.assertEqual(delivered, [SECRET, f"201 yes: {said}", "no answer"])
        heard = [request for request in self.target.heard if name in request]
        # The batch was tried again for the one that had no answer, and then record by record.
        self.assertGreater(len(heard), 1)
        self.assertEqual(set(heard), {f"text/plain {said}"})
        refusal, fault = (json.loads(line) for line in self.lines("failed/"))
        self.assertEqual(refusal["errorCode"], "Lambda.ProcessingFailedStatus")
        self.assertEqual(refusal["attemptsMade"], 1)
        self.assertEqual(fault["errorCode"], "Lambda.FunctionError")
        self.assertGreater(fault["attemptsMade"], 1)
        told = f'[[plugin_grants]] name = "{name}" http = ["{refused}"]'
        self.assertIn(told, refusal["reason"])
        self.assertIn("connect: ", fault["errorMessage"])

    def consumes(self, language):
        name = self.built(language, "consumer")
        self.runs_fixtures(name, 2)
        self.assertIn("consumer-simple", self.millrace("check", name, "--config", str(self.config)))

    def create_stream(self, name):
        self.kinesis.create_stream(StreamName=name, ShardCount=1)
        self.kinesis.get_waiter("stream_exists").wait(
            StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )

    def read(self, stream):
        """The data of a stream of one shard, as text."""
        kinesis = self.server.kinesis()
        start = {"ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kinesis.get_shard_iterator(StreamName=stream, **start)["ShardIterator"]
        records = kinesis.get_records(ShardIterator=iterator)["Records"]
        return [record["Data"].decode() for record in records]

    def hands_over(self, language):
        """A record goes through one version, and the next one goes on with what that kept."""
        name = self.built(language, "state")
        self.runs_fixtures(name, 2)
        checked = self.millrace("check", name, "--config", str(self.config))
        self.assertIn('[[plugin_grants]]\nname = "%s"\nemit = ["totals"]\n' % name, checked)
        manifest = Path(self.workshop.name, name, "plugin.toml")
        # The table `[application]` is its last.
        manifest.write_text(f'{manifest.read_text()}region = "{REGION}"\n')
        kinesis = self.server.kinesis()
        for stream in {"totals", name} - set(kinesis.list_streams()["StreamNames"]):
            self.create_stream(stream)
        before = len(self.read("totals"))

        def processed(count):
            def is_so():
                status, page = self.server.page(f"apps/{name}")
                return status == 200 and page["processed"] == count and page

            return wait_until(is_so, f"{name} has processed {count} records")

        def put(text):
            kinesis.put_record(StreamName=name, Data=text.encode(), PartitionKey="a")

        self.assertIn("is in force", self.millrace("deploy", name))
        put("three words here")
        [shard] = processed(1)["shards"]
        manifest.write_text(manifest.read_text().replace('"0.1.0"', '"0.2.0"'))
        self.assertIn("is in force", self.millrace("deploy", name))
        put("and two")
        [swapped] = processed(2)["shards"]
        self.assertNotEqual(swapped["version"], shard["version"])
        self.assertEqual(self.read("totals")[before:], ["2 records, 5 words"])

    def builds_what_its_readme_says(self, language, source):
        """The blocks of code of an SDK's README, as they stand there."""
        readme = (REPOSITORY / "sdk" / language / "README.md").read_text()
        blocks = re.findall(rf"```{language}\n(.*?)```", readme, re.DOTALL)
        # C has no functions for Lambda.
        worlds = README_BLOCKS if language == "c" else {**README_BLOCKS, "lambda": None}
        self.assertEqual(len(blocks), len(worlds))
        for block, (kind, world) in zip(blocks, worlds.items()):
            name = f"{language}-readme-{kind}"
            flags = ("consumer", "--state") if kind == "state" else ("transform",)
            self.millrace("new", name, "--lang", language, "--world", *flags)
            Path(self.workshop.name, name, source).write_text(block)
            self.millrace("build", name)
            if world:
                checked = self.millrace("check", name, "--config", str(self.config))
                self.assertIn(f"  world    {world}\n", checked)

    def test_the_readme_for_javascript_builds_as_it_stands_there(self):
        self.builds_what_its_readme_says("js", "plugin.js")

    def test_the_readme_for_python_builds_as_it_stands_there(self):
        self.builds_what_its_readme_says("python", "plugin.py")

    def test_the_readme_for_c_builds_as_it_stands_there(self):
        self.builds_what_its_readme_says("c", "plugin.c")

    def test_a_transform_in_javascript_delivers(self):
        self.delivers("js")

    def test_a_transform_in_python_delivers(self):
        self.delivers("python")

    def test_a_transform_in_c_delivers(self):
        self.delivers("c")

    def test_a_record_in_javascript_has_every_answer(self):
        self.answers("js", "plugin.js")

    def test_a_record_in_python_has_every_answer(self):
        self.answers("python", "plugin.py")

    def test_a_record_in_c_has_every_answer(self):
        self.answers("c", "plugin.c")

    def test_a_consumer_in_javascript_writes_tables_and_emits(self):
        self.consumes("js")

    def test_a_consumer_in_python_writes_tables_and_emits(self):
        self.consumes("python")

    def test_a_consumer_in_c_writes_tables_and_emits(self):
        self.consumes("c")

    def test_a_consumer_in_c_waits_for_a_server_that_is_away(self):
        name, host = "c-caller", f"127.0.0.1:{self.target.late_port}"
        self.millrace("new", name, "--lang", "c", "--world", "consumer")
        folder = Path(self.workshop.name, name)
        shutil.copy(COMPONENTS / "caller.c", folder / "plugin.c")
        (folder / "plugin.toml").write_text(
            f'name = "{name}"\nversion = "1"\n[grants]\nhttp = ["{host}"]\n'
            '[build]\nlanguage = "c"\nworld = "consumer"\n'
            f'[application]\nstream = "{name}"\nregion = "{REGION}"\n'
        )
        self.millrace("build", name)
        self.create_stream(name)
        self.assertIn("is in force", self.millrace("deploy", name))
        for url in (f"http://localhost/{name}", f"http://{host}/{name}"):
            self.kinesis.put_record(StreamName=name, Data=url.encode(), PartitionKey="key")

        def page_where(is_so, what):
            def found():
                status, page = self.server.page(f"apps/{name}")
                return status == 200 and is_so(page) and page

            return wait_until(found, what)

        page = page_where(lambda it: "connect: " in it.get("trouble", ""), "it says why it waits")
        self.assertEqual((page["processed"], page["deadLetters"]), (0, 1))
        self.target.serve(self.target.late)
        page = page_where(lambda it: it["processed"] == 1, "it goes on")
        self.assertEqual(page["deadLetters"], 1)
        self.assertIn(f"None POST /{name} None key", self.target.heard)
        status, letters = self.server.page(f"apps/{name}/dead-letters")
        self.assertEqual(status, 200, letters)
        [letter] = letters["deadLetters"]
        self.assertIn('would say [grants] http = ["localhost:80"]', letter["reason"])

    def test_a_consumer_in_javascript_hands_its_state_to_the_next_version(self):
        self.hands_over("js")

    def test_a_consumer_in_python_hands_its_state_to_the_next_version(self):
        self.hands_over("python")

    def test_a_consumer_in_c_hands_its_state_to_the_next_version(self):
        self.hands_over("c")


if __name__ == "__main__":
    unittest.main()
