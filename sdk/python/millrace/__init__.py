"""What the host offers to every plugin in Python; `millrace.transform` and `millrace.consumer` make
plugins with it. The source runs in CPython: there is the standard library, and behind it no files,
no network and no threads. The top level of a module runs when the component is built, and may not
call the host."""

from componentize_py_types import Err
from wit_world.imports import context
from wit_world.imports.context import Level
from wit_world.imports.types import Fault_Permanent, Fault_Retryable


class Retry(Exception):
    """Raised, it says that the whole batch may go through a moment later."""


def config(key: str) -> str | None:
    """A value of `[config]` of the manifest; none where there is none."""
    return context.config(key)


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
