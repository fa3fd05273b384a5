"""A real PostgreSQL on loopback, as Debian installs it, and what its own client says."""

import os
import pwd
import socket
import subprocess
import tempfile
from pathlib import Path

USER, PASSWORD = "loader", "the loader's password"
OWNER = "postgres"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "16MB",
    # The machine does not go down.
    "fsync": "off",
}


def program(name):
    """A program of the newest version that is installed."""
    versions = [path for path in Path("/usr/lib/postgresql").iterdir() if path.name.isdigit()]
    return str(max(versions, key=lambda path: int(path.name)) / "bin" / name)


def as_owner(*command):
    """It refuses to run as root, who runs it as the user that comes with it."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--reuid", OWNER, "--regid", OWNER, "--clear-groups", *command]


class Postgres:
    """A server over a folder that goes with it."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="millrace-conformance-")
        home = Path(self.directory.name)
        password = home / "password"
        password.write_text(PASSWORD)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(OWNER)
            for path in [home, password]:
                os.chown(path, owner.pw_uid, owner.pw_gid)
        self.data = str(home / "data")
        subprocess.run(
            as_owner(
                program("initdb"), "--pgdata", self.data, "--pwfile", str(password),
                "--username", USER, "--auth", "scram-sha-256", "--encoding", "UTF8",
                "--no-locale", "--no-sync",
            ),
            check=True, capture_output=True, cwd="/",
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.start()

    def start(self):
        """Starts it on what it left, and waits until it takes connections."""
        options = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        command = as_owner(
            program("pg_ctl"), "start", "--wait", "--silent", "--pgdata", self.data,
            "--log", self.data + ".log", "--options", " ".join([f"-p{self.port}", *options]),
        )
        subprocess.run(command, check=True, cwd="/", stdin=subprocess.DEVNULL)

    def kill(self):
        """Ends it in the middle of what it does."""
        command = as_owner(
            program("pg_ctl"), "stop", "--silent", "--pgdata", self.data, "--mode", "immediate",
        )
        subprocess.run(command, check=True, cwd="/")

    def close(self):
        self.kill()
        self.directory.cleanup()

    def url(self, sslmode="disable", address=None):
        return f"jdbc:postgresql://{address or self.address}/postgres?sslmode={sslmode}"

    def run(self, statements):
        """What psql says: a line for each row, with a | between columns."""
        command = [
            program("psql"), "--no-psqlrc", "--tuples-only", "--no-align", "--quiet",
            "--set", "ON_ERROR_STOP=1", "--host", "127.0.0.1", "--port", str(self.port),
            "--username", USER, "--dbname", "postgres", "--command", statements,
        ]
        said = subprocess.run(
            command, env={**os.environ, "PGPASSWORD": PASSWORD},
            check=True, capture_output=True, text=True,
        )
        return said.stdout.splitlines()
