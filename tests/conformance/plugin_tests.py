"""Plugins while records flow: a version takes the place of another and every record is delivered
once, by one of them; what cannot be a version is refused by name and harms nothing. Looked at with
the server's pages and with the command line's `plugin` and `delivery`."""

import re
import unittest

from deliveries import Deliveries, PluginsDirectory, extended_s3, lambda_processor, wait_until
from server import PROGRAM, REPOSITORY, Server

REDACT = "redact-card-numbers"
CARD = b"4111111111111111"
TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ"


def paid(number):
    return b"%06d paid with %s\n" % (number, CARD)


class Plugins(Deliveries, unittest.TestCase):
    plugins_used = (REDACT, "drop-bots", "parse-access-log")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        _, page = cls.server.page(f"plugins/{REDACT}")
        cls.version = page["version"]

    def setUp(self):
        super().setUp()
        self.put_so_far = 0
        self.addCleanup(self.restore, REDACT)

    def restore(self, plugin):
        self.plugins.restore(plugin)

        def is_restored():
            status, page = self.server.page(f"plugins/{plugin}")
            return status == 200 and page["refused"] is None and page.get("version") == self.version

        wait_until(is_restored, f"{plugin} is as it was")

    def millrace(self, *arguments, code=0):
        """The command line; what it printed."""
        ended = self.server.run(PROGRAM, *arguments, "--endpoint", self.server.endpoint)
        self.assertEqual(ended.returncode, code, f"{ended.stdout}{ended.stderr}")
        return ended.stdout if code == 0 else ended.stderr

    def refused(self, *arguments):
        """What the command line printed to its output and failed with, as a plugin is refused."""
        ended = self.server.run(PROGRAM, *arguments, "--endpoint", self.server.endpoint)
        self.assertEqual(ended.returncode, 1, f"{ended.stdout}{ended.stderr}")
        return ended.stdout, ended.stderr

    def put_some(self, count=100):
        numbers = range(self.put_so_far, self.put_so_far + count)
        self.put(*map(paid, numbers))
        self.put_so_far += count

    def assert_delivered_once(self, masks):
        """Every record is in one object, in order, and each object is one version's work."""
        numbers, found = [], set()
        for key, content in self.objects():
            lines = content.decode().splitlines()
            masked = {line[len("000000 paid with ") :] for line in lines}
            self.assertEqual(len(masked), 1, key)
            found |= masked
            numbers += [int(line[:6]) for line in lines]
        self.assertEqual(numbers, list(range(self.put_so_far)))
        self.assertEqual(found, {mask * 12 + "1111" for mask in masks})

    def test_a_version_is_swapped_while_records_are_put(self):
        hints = {"SizeInMBs": 1, "IntervalInSeconds": 1}
        processor = lambda_processor(REDACT)
        self.create(extended_s3(self.bucket, processor, BufferingHints=hints))
        before = self.plugin(REDACT)
        self.put_some(1000)
        self.plugins.configure(REDACT, "2", mask="#")

        def is_swapped():
            self.put_some()
            return self.plugin(REDACT)["version"] == "2"

        wait_until(is_swapped, "the new version is in force")
        self.put_some(1000)
        self.flush()
        self.assert_delivered_once("*#")

        after = self.plugin(REDACT)
        self.assertEqual(after["swaps"], before["swaps"] + 1)
        self.assertNotEqual(after["hash"], before["hash"])
        status = self.status()
        versions = {version["hash"]: version for version in status["versions"]}
        self.assertEqual(set(versions), {before["hash"], after["hash"]})
        labels = [versions[page["hash"]]["version"] for page in (before, after)]
        self.assertEqual(labels, [self.version, "2"])
        delivered = [version["delivered"] for version in versions.values()]
        self.assertTrue(min(delivered) >= 1000, delivered)
        self.assertEqual(sum(delivered), self.put_so_far)
        self.assertEqual(status["delivered"], self.put_so_far)
        described = self.millrace("delivery", "describe", self.name)
        for page in (before, after):
            count = f"{versions[page['hash']]['delivered']:,}"
            line = f"by {REDACT} {page['version']} {page['hash'][:12]}: delivered {count}, "
            self.assertIn(line, described)

    def test_a_file_that_is_no_component_is_refused_by_name_and_the_old_version_goes_on(self):
        self.create(extended_s3(self.bucket, lambda_processor(REDACT)))
        before = self.plugin(REDACT)
        component = (REPOSITORY / "plugins" / REDACT / f"{REDACT}.wasm").read_bytes()
        broken = {
            b"not a component": "it is no WebAssembly",
            b"\0asm\x01\0\0\0": "it is a core module, not a component",
            component[: len(component) // 2]: "unexpected end",
        }
        for content, why in broken.items():
            with self.subTest(why):
                self.plugins.write(REDACT, f"{REDACT}.wasm", content)

                def is_refused():
                    return why in (self.plugin(REDACT)["refused"] or "")

                wait_until(is_refused, f"{REDACT} is refused")
                listed, complaint = self.refused("plugin", "list")
                self.assertEqual(complaint, f"millrace: refused: {REDACT}\n")
                refused = rf"(?m)^  {REDACT}: what lies there was refused at {TIME}: .*{why}"
                self.assertRegex(listed, refused)
                running = rf"(?m)^  {REDACT} +running +{self.version} {before['hash'][:12]} "
                self.assertRegex(listed, rf"{running}+transformer +{TIME} ")
                self.put_some()
                self.flush()
        self.assert_delivered_once("*")
        self.assertEqual(self.plugin(REDACT)["hash"], before["hash"])
        self.assertEqual(self.plugin(REDACT)["swaps"], before["swaps"])

    def test_a_configuration_that_its_component_refuses_is_told_with_the_reason(self):
        for config, why in [
            ({"mask": "**"}, "config mask: not one printable ASCII character that is no digit"),
            ({"mask": "7"}, "config mask: not one printable ASCII character that is no digit"),
        ]:
            self.plugins.configure(REDACT, "3", **config)
            page = wait_until(
                lambda: (page := self.plugin(REDACT))["refused"] and page, "it is refused"
            )
            self.assertIn(why, page["refused"])
            self.assertEqual((page["state"], page["version"]), ("running", self.version))
            self.restore(REDACT)

    def test_a_manifest_that_cannot_be_read_is_told_with_its_line(self):
        manifest = f"name = '{REDACT}'\nversion = '1'\n\n[limit]\nmemory_mib = 1\n"
        self.plugins.write(REDACT, "plugin.toml", manifest.encode())
        wait_until(lambda: self.plugin(REDACT)["refused"], "it is refused")
        inspected, complaint = self.refused("plugin", "inspect", REDACT)
        self.assertRegex(inspected, r"(?m)^  refused +plugin\.toml line 4: unknown field `limit`")
        self.assertRegex(inspected, rf"(?m)^  refused at +{TIME}$")
        self.assertIn("plugin.toml line 4: unknown field `limit`", complaint)

    def test_a_plugin_that_is_taken_away_stops_its_deliveries_until_it_is_back(self):
        self.create(extended_s3(self.bucket, lambda_processor(REDACT)))
        for file in ("plugin.toml", f"{REDACT}.wasm"):
            (self.plugins.path / REDACT / file).unlink()
        wait_until(lambda: self.server.page(f"plugins/{REDACT}")[0] == 404, "it is gone")
        self.put_some()
        trouble = wait_until(lambda: self.status()["trouble"], "the delivery says why it waits")
        self.assertEqual(trouble, f"the plugin {REDACT} is not there")
        self.assertIn(trouble, self.millrace("delivery", "list"))
        [warning] = self.server.logged("a delivery waits for its plugin")
        self.assertIn("WARN", warning)
        self.assertIn(trouble, warning)
        self.restore(REDACT)
        self.flush()
        self.assert_delivered_once("*")
        self.assertIsNone(self.status()["trouble"])

    def test_a_transform_must_name_a_plugin_that_is_there(self):
        with self.assertRaises(self.firehose.exceptions.InvalidArgumentException) as raised:
            self.create(extended_s3(self.bucket, lambda_processor("no-such-plugin")))
        message = raised.exception.response["Error"]["Message"]
        self.assertRegex(message, r"function:no-such-plugin does not exist\. There is no plugin")

    def test_the_command_line_shows_plugins_and_deliveries_and_flushes(self):
        self.create(extended_s3(self.bucket, lambda_processor(REDACT)))
        page = self.plugin(REDACT)
        listed = self.millrace("plugin", "list")
        names = [line.split()[0] for line in listed.splitlines()]
        self.assertEqual(names, ["plugin", *sorted(self.plugins_used)])
        self.assertEqual(len(re.findall(TIME, listed)), len(self.plugins_used))
        inspected = self.millrace("plugin", "inspect", REDACT)
        rows = dict(re.findall(r"(?m)^  (\S.*?)  +(.*)$", inspected))
        self.assertEqual((rows["plugin"], rows["state"]), (REDACT, "running"))
        self.assertEqual((rows["version"], rows["hash"]), (self.version, page["hash"]))
        self.put_some(10)
        wait_until(lambda: self.status()["waitingRecords"] == 10, "the records wait")
        line = rf"(?m)^  {self.name} +ACTIVE +10 +0 +0 +0 +0 +10$"
        self.assertRegex(self.millrace("delivery", "list"), line)
        self.assertEqual(self.millrace("delivery", "flush", self.name), "delivered\n")
        line = rf"(?m)^  {self.name} +ACTIVE +10 +10 +0 +0 +0 +0$"
        self.assertRegex(self.millrace("delivery", "list"), line)
        described = self.millrace("delivery", "describe", self.name)
        [(key, _)] = self.objects()
        self.assertRegex(described, rf"(?m)^  last object +{re.escape(key)}$")

    def test_what_lies_there_and_can_be_no_plugin_is_listed_with_the_reason(self):
        files = ["-v.wasm", "two words.wasm", "v1.2.wasm"]
        for file in files:
            (self.plugins.path / file).write_bytes(b"")
            self.addCleanup((self.plugins.path / file).unlink)

        def listed():
            listed = self.millrace("plugin", "list")
            return all(f"  {file}: ignored: a plugin's name " in listed for file in files)

        wait_until(listed, "they are listed")

    def test_the_command_line_fails_with_1_for_what_is_not_there(self):
        for arguments, what in [
            (["plugin", "inspect", "no-such-plugin"], "no such plugin no-such-plugin"),
            (["delivery", "describe", "none"], "no such delivery stream none"),
            (["delivery", "flush", "none"], "no such delivery stream none"),
        ]:
            with self.subTest(arguments):
                complaint = self.millrace(*arguments, code=1)
                self.assertTrue(complaint.startswith("millrace: ResourceNotFoundException: "))
                self.assertIn(what, complaint)
        ended = self.server.run(PROGRAM, "plugin", "list", "--endpoint", "http://127.0.0.1:1")
        self.assertEqual(ended.returncode, 1)
        self.assertRegex(ended.stderr, r"^millrace: plugins at http://127\.0\.0\.1:1: connect: ")
        for arguments in [["plugin", "inspect"], ["delivery", "flush"], ["plugin", "none"]]:
            self.assertEqual(self.server.run(PROGRAM, *arguments).returncode, 2, arguments)


class NoPlugins(unittest.TestCase):
    def test_a_server_without_plugins_says_so(self):
        server = Server()
        self.addCleanup(server.stop)
        ended = server.run(PROGRAM, "plugin", "list")
        said = "no plugins: `millrace plugin deploy` puts one in force\n"
        self.assertEqual((ended.returncode, ended.stdout), (0, said))
        ended = server.run(PROGRAM, "delivery", "list")
        self.assertEqual((ended.returncode, ended.stdout), (0, "no delivery streams\n"))

    def test_a_plugin_that_comes_later_is_taken(self):
        plugins = PluginsDirectory()
        self.addCleanup(plugins.directory.cleanup)
        server = Server("--plugins", str(plugins.path))
        self.addCleanup(server.stop)
        self.assertEqual(server.page("plugins"), (200, {"plugins": []}))
        (plugins.path / REDACT).mkdir()
        plugins.restore(REDACT)
        status, page = wait_until(
            lambda: (page := server.page(f"plugins/{REDACT}"))[0] == 200
            and page[1]["state"] == "running"
            and page,
            "it is in force",
        )
        self.assertEqual((status, page["swaps"]), (200, 0))


if __name__ == "__main__":
    unittest.main()
