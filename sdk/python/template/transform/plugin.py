"""What becomes of each record."""

from millrace import config, counter
from millrace.transform import Drop, Record, Replace, transform

settings = {}


def init():
    """Called once on each instance. A version whose `init` raises is not taken."""
    greeting = config("greeting")
    if greeting is None:
        raise ValueError("config greeting: missing")
    settings["greeting"] = greeting


def greet(record: Record):
    """Greets whom a record names, a line each. A record without a name is left out; one that is no
    text fails, and is kept with the reason beside the others."""
    name = record.text().strip()
    if not name:
        counter("without_name")
        return Drop()
    return Replace(f"{settings['greeting']}, {name}!\n")


Lifecycle, TransformSimple = transform(greet, init, name="{{name}}")
