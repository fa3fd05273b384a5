"""Real nodes of OpenSearch and of the last Elasticsearch of Apache-2.0 on loopback."""

import json
import os
import tempfile
import urllib.request

from java_program import JavaProgram

SMALL = ["-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
# The variable that says where a node's libraries are, and its source.
OPENSEARCH = "OPENSEARCH", "OpenSearchNode.java"
ELASTICSEARCH = "ELASTICSEARCH", "ElasticsearchNode.java"


class SearchNode:
    """A node over a folder that goes with it."""

    def __init__(self, software):
        self.software = software
        self.directory = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        self.start()

    def start(self):
        """Starts it on what it left, at another port."""
        libraries, source = self.software
        home, libraries = self.directory.name, os.environ[libraries]
        self.program = JavaProgram(source, libraries, home, options=SMALL)
        self.url = self.program.url
        self.address = self.url.removeprefix("http://")

    def kill(self):
        """Ends it in the middle of what it does."""
        self.program.kill()

    def close(self):
        self.program.stop()
        self.directory.cleanup()

    def ask(self, path, body=None, method=None):
        """What the node answers."""
        headers = {"Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def hits(self, index, size=1000):
        """The documents of an index, with all that the node knows of them."""
        self.ask(f"/{index}/_refresh", method="POST")
        return self.ask(f"/{index}/_search?size={size}")["hits"]["hits"]

    def found(self, index, size=1000):
        """The documents of an index by their ids."""
        return {hit["_id"]: hit["_source"] for hit in self.hits(index, size)}
