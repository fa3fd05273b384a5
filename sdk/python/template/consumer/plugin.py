"""What becomes of each record: words are counted in a table, and new ones are told to a stream."""

import re

from millrace import config, counter
from millrace.consumer import Consumer, Table, consumer, emit

counts = Table("counts")


class Words(Consumer):
    def process(self, records, millis_behind):
        for record in records:
            for word in re.findall(r"\w+", record.text().lower()):
                self.count(word)

    def count(self, word):
        before = int(counts.get_text(word) or 0)
        counts.put(word, str(before + 1))
        if before == 0:
            counter("new_words")
            stream = config("new_words")
            if stream is not None:
                emit(stream, word, word)


Lifecycle, RecordProcessorSimple = consumer(Words, name="{{name}}")
