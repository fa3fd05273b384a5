/* What becomes of the records of a shard: they and their words are counted, and every so many
 * records the totals are told to a stream. */

#define MILLRACE_CONSUMER
#define MILLRACE_STATE_VERSION 1
#define MILLRACE_NAME "{{name}}"
#include "millrace.h"

#include <ctype.h>

static unsigned long every = 1000;
/* A copy: what the host gives ends with the call. */
static char shard[64];
/* What goes on in the instance that comes after this one. */
static struct { unsigned long records, words; } totals;

/* Called once on each instance. A version that answers a text is not taken. */
const char *plugin_init(void)
{
    char *text = millrace_config("every");
    if (text)
        every = strtoul(text, NULL, 10);
    return every ? NULL : "config every: not a number from 1 on";
}

/* Called once for the shard of the instance. */
const char *plugin_start(const struct millrace_assignment *assignment)
{
    snprintf(shard, sizeof shard, "%.*s", (int)assignment->shard.length,
             (char *)assignment->shard.data);
    return NULL;
}

/* Words are letters and digits of ASCII in a row. */
static unsigned long words(struct millrace_bytes data)
{
    unsigned long count = 0;
    for (size_t i = 0; i < data.length; i++)
        if (isalnum(data.data[i]) && (i == 0 || !isalnum(data.data[i - 1])))
            count++;
    return count;
}

const char *plugin_process(const struct millrace_record *records, size_t count,
                           uint64_t millis_behind)
{
    (void)millis_behind;
    for (size_t i = 0; i < count; i++) {
        totals.records++;
        totals.words += words(records[i].data);
        if (totals.records % every)
            continue;
        const char *error =
            millrace_emit("totals", millrace_bytes(shard),
                          millrace_format("%lu records, %lu words", totals.records, totals.words));
        if (error)
            return error;
    }
    return NULL;
}

/* Asked for after each batch, and kept with it. */
const char *plugin_snapshot(struct millrace_bytes *state)
{
    *state = millrace_format("%lu %lu", totals.records, totals.words);
    return NULL;
}

/* Takes over what an instance before this one kept: `version` is its MILLRACE_STATE_VERSION. */
const char *plugin_restore(uint32_t version, struct millrace_bytes state)
{
    if (version != MILLRACE_STATE_VERSION)
        return "a state of another version";
    struct millrace_bytes text = millrace_format("%.*s", (int)state.length, (char *)state.data);
    int found = sscanf((char *)text.data, "%lu %lu", &totals.records, &totals.words);
    return found == 2 ? NULL : "a state that is not two numbers";
}
