"""What the host offers to every plugin in Python; `millrace.transform` and `millrace.consumer` make
plugins with it. The source runs in CPython: there is the standard library, and behind it no files,
no sockets and no threads. The top level of a module runs when the component is built, and may not
call the host."""

import json
from collections.abc import Mapping

from componentize_py_types import Err
from wit_world.imports import context, http, secrets
from wit_world.imports.context import Level
from wit_world.imports.types import Fault_Permanent, Fault_Retryable


class Retry(Exception):
    """Raised, it says that the whole batch may go through a moment later."""


class NoAnswer(Retry):
    """A call over HTTP has no answer, or not in time: a later one may have one. It is a `Retry`, so
    that the whole batch is tried again where nobody catches it."""


class Refused(Exception):
    """The host does not do what it was asked: it is not granted, or something is wrong with it."""


def config(key: str) -> str | None:
    """A value of `[config]` of the manifest; none where there is none."""
    return context.config(key)


def secret(name: str) -> bytes:
    """A secret as it is now: operators change them, so ask again in each batch. The manifest asks
    for it in `[grants]`, and the operator grants it; where one of both is missing a `Refused` says
    what to write where. The host takes its value out of logs and reasons, not out of records."""
    return asked(secrets.get, name)


class Headers(Mapping):
    """The headers of an answer. A name is found in capitals and in lower case; several of one name
    are joined by a comma."""

    def __init__(self, pairs):
        #: Names in lower case with their values, in the order in which they came.
        self.pairs = pairs

    def __getitem__(self, name: str) -> str:
        values = [value for key, value in self.pairs if key == name.lower()]
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def __iter__(self):
        return iter(dict(self.pairs))

    def __len__(self):
        return len(dict(self.pairs))


class Response:
    """What a server answered, with `status`, `headers`, and the bytes of its `body`."""

    def __init__(self, given):
        self.status: int = given.status
        self.headers = Headers([(name, value.decode("latin-1")) for name, value in given.headers])
        self.body: bytes = given.body

    @property
    def ok(self) -> bool:
        """Whether the status says that all went well."""
        return 200 <= self.status < 300

    def text(self) -> str:
        """The body as text; raises where it is not UTF-8."""
        return self.body.decode()

    def json(self):
        """The body as a value; raises where it is not JSON."""
        return json.loads(self.body)


def fetch(url: str, *, method: str = "GET", headers=(), body: bytes | str = b"") -> Response:
    """Makes a call over HTTP to a server that the manifest asks for in `[grants]`, as `host:port`,
    and that the operator granted. `headers` are a mapping or pairs; their values are text or bytes.

    Whatever the status is, it is an answer. A call that may not be made raises a `Refused` that
    says what is wrong with it, or what to write where so that it is granted; one without an answer
    raises a `NoAnswer`. A batch that is worked on again makes its calls again, so that a server
    hears of a record at least once."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    sent = [(name, _header(value)) for name, value in pairs]
    try:
        return Response(http.fetch(http.Request(method, url, sent, as_bytes(body))))
    except Err as error:
        kind = NoAnswer if isinstance(error.value, http.Error_Failed) else Refused
        raise kind(error.value.value) from None


def _header(value) -> bytes:
    """The value of a header: bytes, or text of which each character is one byte, as HTTP has it."""
    return value if isinstance(value, bytes) else str(value).encode("latin-1")


def counter(name: str, by: int = 1) -> None:
    """Adds to a counter among the host's metrics; its name is of `a-z`, `0-9` and `_`."""
    context.counter(name, by)


def now_ms() -> int:
    """Milliseconds since 1970; stands still while a batch is worked on."""
    return context.now_ms()


class log:
    """Lines of the host's log. They must not hold a record's data: others read them."""

    @staticmethod
    def trace(message) -> None:
        context.log(Level.TRACE, str(message))

    @staticmethod
    def debug(message) -> None:
        context.log(Level.DEBUG, str(message))

    @staticmethod
    def info(message) -> None:
        context.log(Level.INFO, str(message))

    @staticmethod
    def warn(message) -> None:
        context.log(Level.WARN, str(message))

    @staticmethod
    def error(message) -> None:
        context.log(Level.ERROR, str(message))


def as_bytes(data: bytes | str) -> bytes:
    """Bytes or text as bytes."""
    return data.encode() if isinstance(data, str) else data


def asked(call, *values):
    """Calls the host; a refusal has its words."""
    try:
        return call(*values)
    except Err as error:
        raise Refused(error.value) from None


def reason(error: Exception) -> str:
    """The words of an error; those of one without are its name."""
    return str(error) or type(error).__name__


def told(error: Exception) -> Err:
    """What a function of a world that fails with a text raises."""
    return Err(reason(error))


def fault(error: Exception) -> Err:
    """What a function that works on a batch raises."""
    kind = Fault_Retryable if isinstance(error, Retry) else Fault_Permanent
    return Err(kind(reason(error)))


def lifecycle(name, version, init):
    """The functions of the export `lifecycle`, which all plugins have."""
    from wit_world.exports.lifecycle import Manifest

    class Lifecycle:
        def describe(self):
            return Manifest(name, version)

        def init(self):
            try:
                init()
            except Exception as error:
                raise told(error) from error

    return Lifecycle
