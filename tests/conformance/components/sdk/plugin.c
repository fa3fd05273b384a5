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

static void tell(const char *name, struct millrace_out *out)
{
    struct millrace_bytes value;
    const char *error = millrace_secret(name, &value);
    if (error)
        millrace_fail(out, error);
    else
        millrace_replace(out, millrace_format("%.*s\n", (int)value.length, (char *)value.data));
}

/* Puts what a server answers. Where there is no answer the record says so, or its batch is tried
 * again. */
static void call(const char *url, int says_so, struct millrace_out *out)
{
    struct millrace_bytes key;
    const char *error = millrace_secret("api_key", &key);
    if (error) {
        millrace_fail(out, error);
        return;
    }
    struct millrace_pair headers[] = {
        {millrace_bytes("X-Api-Key"), key},
        {millrace_bytes("Content-Type"), millrace_bytes("text/plain")},
    };
    struct millrace_request request = {
        .method = "POST",
        .url = url,
        .headers = headers,
        .header_count = 2,
        .body = millrace_bytes("grüß gott"),
    };
    struct millrace_response response;
    error = millrace_fetch(&request, &response);
    if (error && response.no_answer && says_so) {
        millrace_replace(out, millrace_bytes("no answer\n"));
    } else if (error && response.no_answer) {
        millrace_retry(out, error);
    } else if (error) {
        millrace_fail(out, error);
    } else {
        struct millrace_bytes answer = millrace_header(&response, "x-answer");
        millrace_replace(out, millrace_format("%u %.*s: %.*s\n", response.status,
                                              (int)answer.length, (char *)answer.data,
                                              (int)response.body.length,
                                              (char *)response.body.data));
    }
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
    } else if (!strcmp(text, "tell")) {
        tell(rest, out);
    } else if (!strcmp(text, "call") || !strcmp(text, "try")) {
        call(rest, !strcmp(text, "try"), out);
    } else if (!strcmp(text, "retry")) {
        millrace_retry(out, "not now");
    } else if (strcmp(text, "nothing")) {
        millrace_fail(out, (char *)millrace_format("no such word: %s", text).data);
    }
}
