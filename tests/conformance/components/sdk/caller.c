/* A consumer that calls the server that a record names: for the tests of the SDK. */

#define MILLRACE_CONSUMER
#include "millrace.h"

const char *plugin_init(void)
{
    return NULL;
}

const char *plugin_process(const struct millrace_record *records, size_t count, uint64_t behind)
{
    (void)behind;
    for (size_t i = 0; i < count; i++) {
        struct millrace_bytes url = records[i].data;
        struct millrace_request request = {
            .method = "POST",
            .url = (char *)millrace_format("%.*s", (int)url.length, (char *)url.data).data,
            .body = records[i].partition_key,
        };
        struct millrace_response response;
        const char *error = millrace_fetch(&request, &response);
        if (error)
            return response.no_answer ? millrace_try_again(error) : error;
    }
    return NULL;
}
