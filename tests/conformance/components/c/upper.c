/* A transform that writes ASCII letters large and drops those records that begin with a `#`.
 * `zig cc` makes a core module of it, and `wasm-tools component` a component of the world
 * transformer-simple. The shapes are those of wit/0.1 as the canonical ABI lays them out. */

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum status { OK, DROPPED, FAILED };

struct in_record {
    uint32_t index;
    unsigned char *data;
    size_t length;
};

/* A text of the host's or ours. */
struct text {
    const char *at;
    size_t length;
};

struct partition_key {
    struct text name, value;
};

struct out_record {
    uint32_t index;
    uint8_t status;
    unsigned char *data;
    size_t length;
    struct partition_key *partition_keys;
    size_t partition_key_count;
    uint8_t has_target;
    struct text target;
};

/* Either records or, if `failed`, a fault: which one in the place of their address, then its text. */
struct answer {
    uint8_t failed;
    struct out_record *records;
    size_t count;
    size_t rest;
};

struct manifest {
    struct text name, version;
};

/* `init` has nothing to tell when it goes well. */
struct begun {
    uint8_t failed;
    struct text why;
};

#define LIFECYCLE "millrace:plugin/lifecycle@0.1.0#"
#define TRANSFORM "millrace:plugin/transform-simple@0.1.0#transform"

/* The host asks for memory that it writes a batch to. */
__attribute__((export_name("cabi_realloc"))) void *
allocate(void *old, size_t old_size, size_t align, size_t size)
{
    (void)old_size;
    (void)align;
    void *memory = realloc(old, size);
    if (!memory)
        abort();
    return memory;
}

__attribute__((export_name(LIFECYCLE "describe"))) struct manifest *
describe(void)
{
    static struct manifest manifest = {{"upper", 5}, {"1", 1}};
    return &manifest;
}

__attribute__((export_name(LIFECYCLE "init"))) struct begun *
init(void)
{
    static struct begun begun;
    return &begun;
}

/* The batch is ours: its bytes are changed in place and answered with. */
__attribute__((export_name(TRANSFORM))) struct answer *
transform(struct in_record *records, size_t count)
{
    static struct answer answer;
    answer.count = count;
    answer.records = calloc(count ? count : 1, sizeof *answer.records);
    if (!answer.records)
        abort();
    for (size_t i = 0; i < count; i++) {
        struct in_record *in = &records[i];
        struct out_record *out = &answer.records[i];
        out->index = in->index;
        out->status = in->length && in->data[0] == '#' ? DROPPED : OK;
        out->data = in->data;
        out->length = out->status == OK ? in->length : 0;
        for (size_t j = 0; j < out->length; j++)
            out->data[j] = (unsigned char)toupper(out->data[j]);
    }
    free(records);
    return &answer;
}

/* The host has taken the answer. */
__attribute__((export_name("cabi_post_" TRANSFORM))) void
answered(struct answer *answer)
{
    for (size_t i = 0; i < answer->count; i++)
        free(answer->records[i].data);
    free(answer->records);
}
