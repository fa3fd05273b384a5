/* Every answer that a transform has, by what a record says: for the tests of the SDK. */

#define MILLRACE_TRANSFORM
#include "millrace.h"

const char *plugin_init(void)
{
    return NULL;
}

/* Puts a part for each word, behind the record's partition key. */
static void split(struct millrace_bytes key, char *words, struct millrace_out *out)
{
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        millrace_replace(out, millrace_format("%.*s:%s", (int)key.length, (char *)key.data, word));
}

void plugin_transform(const struct millrace_record *record, struct millrace_out *out)
{
    char *text =
        (char *)millrace_format("%.*s", (int)record->data.length, (char *)record->data.data).data;
    struct millrace_bytes key = millrace_partition_key(record);
    char *rest = strchr(text, ' ');
    if (rest)
        *rest++ = 0;
    if (!strcmp(text, "keep")) {
        millrace_keep(out);
    } else if (!strcmp(text, "drop")) {
        millrace_drop(out);
    } else if (!strcmp(text, "split")) {
        split(key, rest, out);
    } else if (!strcmp(text, "route")) {
        millrace_replace(out, millrace_format("at %llu", millrace_arrival_ms(record)));
        millrace_add_partition_key(out, millrace_bytes("customer"), key);
        millrace_set_target(out, millrace_bytes(rest));
    } else if (!strcmp(text, "retry")) {
        millrace_retry(out, "not now");
    } else if (strcmp(text, "nothing")) {
        millrace_fail(out, (char *)millrace_format("no such word: %s", text).data);
    }
}
