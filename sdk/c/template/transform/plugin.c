/* What becomes of each record. */

#define MILLRACE_TRANSFORM
#define MILLRACE_NAME "{{name}}"
#include "millrace.h"

#include <ctype.h>

static const char *greeting;

/* Called once on each instance. A version that answers a text is not taken. */
const char *plugin_init(void)
{
    greeting = millrace_config("greeting");
    return greeting ? NULL : "config greeting: missing";
}

/* Greets whom a record names, a line each. A record without a name is left out; one that is no
 * ASCII fails, and is kept with the reason beside the others. */
void plugin_transform(const struct millrace_record *record, struct millrace_out *out)
{
    const unsigned char *name = record->data.data;
    size_t length = record->data.length;
    for (size_t i = 0; i < length; i++) {
        if (name[i] > 0x7f) {
            struct millrace_bytes reason = millrace_format("byte %zu is not ASCII", i + 1);
            millrace_fail(out, (const char *)reason.data);
            return;
        }
    }
    while (length && isspace(*name))
        name++, length--;
    while (length && isspace(name[length - 1]))
        length--;
    if (length == 0) {
        millrace_counter("without_name", 1);
        millrace_drop(out);
        return;
    }
    millrace_replace(out, millrace_format("%s, %.*s!\n", greeting, (int)length, (char *)name));
}
