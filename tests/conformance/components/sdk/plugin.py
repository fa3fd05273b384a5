"""Every answer that a transform has, by what a record says: for the tests of the SDK."""

from millrace.transform import Drop, Keep, Replace, Retry, Split, transform


def answer(record):
    word, *words = record.text().split(" ")
    match word:
        case "keep":
            return Keep()
        case "drop":
            return Drop()
        case "split":
            return Split(f"{record.partition_key}:{word}" for word in words)
        case "route":
            keys = {"customer": record.partition_key}
            return Replace(f"at {record.arrival_ms}", keys, words[0])
        case "retry":
            raise Retry("not now")
        case "nothing":
            return None
        case _:
            raise ValueError(f"no such word: {word}")


Lifecycle, TransformSimple = transform(answer, name="answers")
