"""Every answer that a transform has, by what a record says: for the tests of the SDK."""

from millrace import NoAnswer, fetch, secret
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
        case "tell":
            return Replace(secret(words[0]) + b"\n")
        case "call":
            return Replace(called(words[0]))
        case "try":
            return Replace(tried(words[0]))
        case "retry":
            raise Retry("not now")
        case "nothing":
            return None
        case _:
            raise ValueError(f"no such word: {word}")


def called(url):
    headers = {"X-Api-Key": secret("api_key"), "Content-Type": "text/plain"}
    response = fetch(url, method="POST", headers=headers, body="grüß gott")
    return f"{response.status} {response.headers['X-Answer']}: {response.text()}\n"


def tried(url):
    try:
        return called(url)
    except NoAnswer:
        return "no answer\n"


Lifecycle, TransformSimple = transform(answer, name="answers")
