/* What becomes of each record: words are counted in a table, and each new one is told to a stream. */

#define MILLRACE_CONSUMER
#define MILLRACE_NAME "{{name}}"
#include "millrace.h"

#include <ctype.h>

static const char *new_words;

/* Called once on each instance. A version that answers a text is not taken. */
const char *plugin_init(void)
{
    new_words = millrace_config("new_words");
    return NULL;
}

static const char *count(struct millrace_bytes word)
{
    struct millrace_bytes before;
    const char *error = millrace_get("counts", word, &before);
    if (error)
        return error;
    /* A value is no text that ends with a zero. */
    struct millrace_bytes text =
        millrace_format("%.*s", (int)before.length, before.data ? (char *)before.data : "");
    unsigned long number = strtoul((char *)text.data, NULL, 10);
    error = millrace_put("counts", word, millrace_format("%lu", number + 1));
    if (error || number > 0)
        return error;
    millrace_counter("new_words", 1);
    return new_words ? millrace_emit(new_words, word, word) : NULL;
}

/* Counts the words of a record: letters and digits of ASCII in a row. */
static const char *count_all(struct millrace_bytes data)
{
    for (size_t i = 0; i < data.length; i++)
        data.data[i] = (unsigned char)tolower(data.data[i]);
    for (size_t start = 0; start < data.length;) {
        size_t end = start;
        while (end < data.length && isalnum(data.data[end]))
            end++;
        if (end > start) {
            const char *error = count((struct millrace_bytes){data.data + start, end - start});
            if (error)
                return error;
        }
        start = end + 1;
    }
    return NULL;
}

const char *plugin_process(const struct millrace_record *records, size_t count,
                           uint64_t millis_behind)
{
    (void)millis_behind;
    for (size_t i = 0; i < count; i++) {
        const char *error = count_all(records[i].data);
        if (error)
            return error;
    }
    return NULL;
}
