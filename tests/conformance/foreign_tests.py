"""Components of other languages, each as its usual tool made it: a server takes them, and records
go through them."""

import os
import unittest
from pathlib import Path

from deliveries import Deliveries, extended_s3, lambda_processor, wait_until

# In the order in which they are listed. `quickjs` is the source of `javascript` in another engine.
COMPONENTS = ("c", "javascript", "python", "quickjs")
# Compiling an interpreter takes a debug build of the server half a minute of processor time.
COMPILE_SECONDS_MAX = 600


class ForeignComponents(Deliveries, unittest.TestCase):
    plugin_limits = "compile_seconds = 120"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        built = Path(os.environ["COMPONENTS"])
        for name in COMPONENTS:
            component = (built / f"{name}.wasm").read_bytes()
            (cls.plugins.path / f"{name}.wasm").write_bytes(component)

        def are_there():
            _, page = cls.server.page("plugins")
            names = [plugin["name"] for plugin in page["plugins"]]
            states = [plugin["state"] for plugin in page["plugins"]]
            return names == list(COMPONENTS) and "loading" not in states

        wait_until(are_there, "all are tried", COMPILE_SECONDS_MAX)

    def delivers(self, name):
        plugin = self.plugin(name)
        self.assertEqual((plugin["state"], plugin["refused"]), ("running", None))
        self.assertEqual(plugin["world"], "transformer-simple")
        delimiter = {
            "Type": "AppendDelimiterToRecord",
            "Parameters": [{"ParameterName": "Delimiter", "ParameterValue": "\\n"}],
        }
        self.create(extended_s3(self.bucket, lambda_processor(name), delimiter))
        records = [f"{number}: some words, ünd more".encode() for number in range(1000)]
        self.put(*records, b"# a comment")
        self.flush()
        # Letters of ASCII only, byte by byte.
        self.assertEqual(self.lines(), [record.upper() for record in records])
        status = self.status()
        counts = [status[count] for count in ("delivered", "dropped", "failed", "trouble")]
        self.assertEqual(counts, [1000, 1, 0, None])
        print(
            f"{name}: {plugin['componentBytes']} bytes, compiled in",
            f"{plugin['compileUs'] // 1000} ms",
        )

    def test_a_component_of_c_delivers(self):
        self.delivers("c")

    def test_a_component_of_javascript_delivers(self):
        self.delivers("javascript")

    def test_a_component_of_javascript_in_quickjs_delivers(self):
        self.delivers("quickjs")

    def test_a_component_of_python_delivers(self):
        self.delivers("python")


if __name__ == "__main__":
    unittest.main()
