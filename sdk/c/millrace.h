/* Plugins for millrace in C: this one file, and functions of the author's that it calls. The shapes
 * are those of wit/0.1 as the canonical ABI of components lays them out.
 *
 * A transform:  #define MILLRACE_TRANSFORM, include this, and write
 *                 const char *plugin_init(void);
 *                 void plugin_transform(const struct millrace_record *, struct millrace_out *);
 * A consumer:   #define MILLRACE_CONSUMER, include this, and write
 *                 const char *plugin_init(void);
 *                 const char *plugin_process(const struct millrace_record *, size_t count,
 *                                            uint64_t millis_behind);
 *               and, if they have something to do, plugin_start, plugin_shard_ended,
 *               plugin_shutdown_requested and plugin_lease_lost.
 *               One that keeps something in its memory from batch to batch has `state = true` in
 *               [build] of its manifest, and here #define MILLRACE_STATE_VERSION, a number, and
 *                 const char *plugin_snapshot(struct millrace_bytes *state);
 *                 const char *plugin_restore(uint32_t version, struct millrace_bytes state);
 *
 * Functions that answer a text answer NULL when all is well. There are no files, no sockets and no
 * threads. What the host gives, and what millrace_allocate gives, lives until the call ends in which
 * it was given: what must last longer is copied. */

#ifndef MILLRACE_H
#define MILLRACE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what authors use -------------------------------------------------------------------- */

struct millrace_bytes {
    unsigned char *data;
    size_t length;
};

enum millrace_level { MILLRACE_TRACE, MILLRACE_DEBUG, MILLRACE_INFO, MILLRACE_WARN, MILLRACE_ERROR };

/* One record of a batch. */
struct millrace_record {
    struct millrace_bytes data;
    /* What the producer chose to share a shard. Of a consumer's records; a transform asks
     * millrace_partition_key. */
    struct millrace_bytes partition_key;
    /* Decimal digits. Of a consumer's records alone, as the two below. */
    struct millrace_bytes sequence_number;
    uint64_t sub_sequence_number;
    uint64_t arrival_ms;
    /* Its place in its batch, from 0. */
    uint32_t index;
};

/* Memory until the end of the call. */
static void *millrace_allocate(size_t size);

/* The bytes of a text that ends with a zero. */
static inline struct millrace_bytes millrace_bytes(const char *text)
{
    return (struct millrace_bytes){(unsigned char *)text, strlen(text)};
}

/* A text as printf makes it, until the end of the call. */
__attribute__((format(printf, 1, 2))) static inline struct millrace_bytes
millrace_format(const char *format, ...)
{
    va_list values, again;
    va_start(values, format);
    va_copy(again, values);
    int length = vsnprintf(NULL, 0, format, values);
    size_t size = length < 0 ? 0 : (size_t)length;
    unsigned char *text = millrace_allocate(size + 1);
    vsnprintf((char *)text, size + 1, format, again);
    va_end(again);
    va_end(values);
    return (struct millrace_bytes){text, size};
}

/* A line of the host's log. It must not hold a record's data: others read logs. */
static inline void millrace_log(enum millrace_level level, const char *message);

/* Adds to a counter among the host's metrics; its name is of a-z, 0-9 and _. */
static inline void millrace_counter(const char *name, uint64_t by);

/* A copy of a value of [config] that lasts, as text; NULL where there is none. */
static inline char *millrace_config(const char *key);

/* Milliseconds since 1970; stands still while a batch is worked on. */
static inline uint64_t millrace_now_ms(void);

/* A secret as it is now: operators change them, so it is asked for again in each batch. The manifest
 * asks for it in [grants], and the operator grants it; where one of both is missing the answer is a
 * text that says what to write where. The bytes do not end with a zero. The host takes them out of
 * logs and reasons, not out of records. */
static inline const char *millrace_secret(const char *name, struct millrace_bytes *value);

struct millrace_pair {
    struct millrace_bytes name, value;
};

struct millrace_request {
    /* NULL for GET. */
    const char *method;
    /* Begins with https:// or http://. */
    const char *url;
    const struct millrace_pair *headers;
    size_t header_count;
    struct millrace_bytes body;
};

struct millrace_response {
    /* Whatever it is, it is an answer; 0 where there is none. */
    unsigned status;
    /* Names in lower case, in the order in which they came. */
    const struct millrace_pair *headers;
    size_t header_count;
    struct millrace_bytes body;
    /* Of a call that answered a text: 1 where there was no answer, or not in time, and a later call
     * may have one; 0 where the call may not be made, also not later. */
    int no_answer;
};

/* Makes a call over HTTP to a server that the manifest asks for in [grants], as host:port, and that
 * the operator granted, and waits for the whole answer. A text says what is wrong with the call, what
 * to write where so that it is granted, or why there is no answer. A batch that is worked on again
 * makes its calls again, so that a server hears of a record at least once. */
static inline const char *
millrace_fetch(const struct millrace_request *request, struct millrace_response *response);

/* The first header of this name, which is given in lower case; its `data` is NULL where there is
 * none. */
static inline struct millrace_bytes
millrace_header(const struct millrace_response *response, const char *name);

/* ---- memory ------------------------------------------------------------------------------ */

#define MILLRACE_CHUNK 65536

struct millrace_chunk {
    struct millrace_chunk *before;
    size_t used, size;
    _Alignas(16) unsigned char bytes[];
};

static struct millrace_chunk *millrace_chunks;

static void *millrace_allocate(size_t size)
{
    size = (size + 15) & ~(size_t)15;
    struct millrace_chunk *chunk = millrace_chunks;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = size > MILLRACE_CHUNK ? size : MILLRACE_CHUNK;
        chunk = malloc(sizeof *chunk + room);
        if (!chunk)
            abort();
        *chunk = (struct millrace_chunk){millrace_chunks, 0, room};
        millrace_chunks = chunk;
    }
    void *memory = chunk->bytes + chunk->used;
    chunk->used += size;
    return memory;
}

/* The call is over, and the host has taken its answer. */
static void millrace_end_call(void)
{
    while (millrace_chunks && millrace_chunks->before) {
        struct millrace_chunk *chunk = millrace_chunks;
        millrace_chunks = chunk->before;
        free(chunk);
    }
    if (millrace_chunks)
        millrace_chunks->used = 0;
}

/* The host asks for memory that it writes to. */
__attribute__((export_name("cabi_realloc"))) void *
millrace_cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
    (void)align;
    void *memory = millrace_allocate(size);
    if (old)
        memcpy(memory, old, old_size < size ? old_size : size);
    return memory;
}

/* ---- the host's functions ---------------------------------------------------------------- */

#define MILLRACE_PACKAGE "millrace:plugin/"
#define MILLRACE_VERSION "@0.1.0"
#define MILLRACE_IMPORT(interface, name)                                                           \
    __attribute__((import_module(MILLRACE_PACKAGE interface MILLRACE_VERSION), import_name(name)))
#define MILLRACE_EXPORT(interface, name)                                                           \
    __attribute__((export_name(MILLRACE_PACKAGE interface MILLRACE_VERSION "#" name)))
#define MILLRACE_AFTER(interface, name, function)                                                  \
    __attribute__((                                                                                \
        export_name("cabi_post_" MILLRACE_PACKAGE interface MILLRACE_VERSION "#" name))) void      \
    function(void *answer)                                                                         \
    {                                                                                              \
        (void)answer;                                                                              \
        millrace_end_call();                                                                       \
    }

/* option<list<u8>> */
struct millrace_option {
    uint8_t is_some;
    struct millrace_bytes value;
};

/* result<_, string> */
struct millrace_result {
    uint8_t is_err;
    struct millrace_bytes error;
};

/* result<list<u8>, string> */
struct millrace_given {
    uint8_t is_err;
    struct millrace_bytes bytes;
};

/* result<response, error> of http */
struct millrace_fetched {
    uint8_t is_err;
    union {
        struct {
            uint16_t status;
            struct millrace_pair *headers;
            size_t header_count;
            struct millrace_bytes body;
        } ok;
        struct {
            uint8_t is_failed;
            struct millrace_bytes text;
        } error;
    };
};

/* result<_, fault>, and the second half of result<list, fault> */
struct millrace_fault {
    uint8_t is_permanent;
    struct millrace_bytes text;
};

MILLRACE_IMPORT("context", "log") void millrace_host_log(uint32_t, const char *, size_t);
MILLRACE_IMPORT("context", "counter") void millrace_host_counter(const char *, size_t, uint64_t);
MILLRACE_IMPORT("context", "config")
void millrace_host_config(const char *, size_t, struct millrace_option *);
MILLRACE_IMPORT("context", "now-ms") uint64_t millrace_host_now_ms(void);
MILLRACE_IMPORT("secrets", "get")
void millrace_host_secret(const char *, size_t, struct millrace_given *);
MILLRACE_IMPORT("http", "fetch")
void millrace_host_fetch(const char *, size_t, const char *, size_t, const struct millrace_pair *,
                         size_t, const unsigned char *, size_t, struct millrace_fetched *);

/* The host's words as a text that ends with a zero. */
static inline const char *millrace_words(struct millrace_bytes words)
{
    return (char *)millrace_format("%.*s", (int)words.length, (char *)words.data).data;
}

static inline void millrace_log(enum millrace_level level, const char *message)
{
    millrace_host_log(level, message, strlen(message));
}

static inline void millrace_counter(const char *name, uint64_t by)
{
    millrace_host_counter(name, strlen(name), by);
}

static inline char *millrace_config(const char *key)
{
    struct millrace_option option;
    millrace_host_config(key, strlen(key), &option);
    if (!option.is_some)
        return NULL;
    char *copy = calloc(1, option.value.length + 1);
    if (!copy)
        abort();
    memcpy(copy, option.value.data, option.value.length);
    return copy;
}

static inline uint64_t millrace_now_ms(void)
{
    return millrace_host_now_ms();
}

static inline const char *millrace_secret(const char *name, struct millrace_bytes *value)
{
    struct millrace_given given;
    millrace_host_secret(name, strlen(name), &given);
    if (given.is_err)
        return millrace_words(given.bytes);
    *value = given.bytes;
    return NULL;
}

static inline const char *
millrace_fetch(const struct millrace_request *request, struct millrace_response *response)
{
    const char *method = request->method ? request->method : "GET";
    struct millrace_fetched fetched;
    millrace_host_fetch(method, strlen(method), request->url, strlen(request->url),
                        request->headers, request->header_count, request->body.data,
                        request->body.length, &fetched);
    *response = (struct millrace_response){0};
    if (fetched.is_err) {
        response->no_answer = fetched.error.is_failed;
        return millrace_words(fetched.error.text);
    }
    response->status = fetched.ok.status;
    response->headers = fetched.ok.headers;
    response->header_count = fetched.ok.header_count;
    response->body = fetched.ok.body;
    return NULL;
}

static inline struct millrace_bytes
millrace_header(const struct millrace_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++) {
        const struct millrace_pair *header = &response->headers[i];
        if (header->name.length == strlen(name) &&
            !memcmp(header->name.data, name, header->name.length))
            return header->value;
    }
    return (struct millrace_bytes){NULL, 0};
}

/* ---- lifecycle --------------------------------------------------------------------------- */

#ifndef MILLRACE_NAME
#define MILLRACE_NAME ""
#endif
#ifndef MILLRACE_PLUGIN_VERSION
#define MILLRACE_PLUGIN_VERSION ""
#endif

/* Called once on each instance, before its first batch. A version that answers a text is not taken. */
const char *plugin_init(void);

static struct millrace_bytes millrace_description[2];

MILLRACE_EXPORT("lifecycle", "describe") struct millrace_bytes *millrace_describe(void)
{
    millrace_description[0] = millrace_bytes(MILLRACE_NAME);
    millrace_description[1] = millrace_bytes(MILLRACE_PLUGIN_VERSION);
    return millrace_description;
}

static struct millrace_result *millrace_result(const char *error)
{
    struct millrace_result *result = millrace_allocate(sizeof *result);
    *result = (struct millrace_result){error != NULL, {NULL, 0}};
    if (error)
        result->error = millrace_bytes(error);
    return result;
}

MILLRACE_EXPORT("lifecycle", "init") struct millrace_result *millrace_init(void)
{
    return millrace_result(plugin_init());
}
MILLRACE_AFTER("lifecycle", "init", millrace_after_init)

/* ---- transforms -------------------------------------------------------------------------- */

#ifdef MILLRACE_TRANSFORM

struct millrace_out;

/* What becomes of one record; `out` takes what the functions below say of it. */
void plugin_transform(const struct millrace_record *record, struct millrace_out *out);

enum millrace_status { MILLRACE_OK, MILLRACE_DROPPED, MILLRACE_FAILED };

/* out-record */
struct millrace_output {
    uint32_t index;
    uint8_t status;
    struct millrace_bytes data;
    struct millrace_pair *partition_keys;
    size_t partition_key_count;
    struct millrace_option target;
};

/* The answer to a batch while it grows. */
struct millrace_out {
    struct millrace_output *outputs;
    size_t count, room;
    const struct millrace_record *record;
    /* Why the batch is to be tried again. */
    const char *retry;
};

static inline struct millrace_output *
millrace_add(struct millrace_out *out, enum millrace_status status, struct millrace_bytes data)
{
    if (out->count == out->room) {
        size_t room = out->room ? 2 * out->room : 64;
        struct millrace_output *more = millrace_allocate(room * sizeof *more);
        if (out->count)
            memcpy(more, out->outputs, out->count * sizeof *more);
        out->outputs = more;
        out->room = room;
    }
    struct millrace_output *output = &out->outputs[out->count++];
    *output = (struct millrace_output){.index = out->record->index, .status = status, .data = data};
    return output;
}

/* These bytes go on in the record's place; said again, each goes on as a record of its own. The
 * bytes must live until the call ends. */
static inline void millrace_replace(struct millrace_out *out, struct millrace_bytes data)
{
    millrace_add(out, MILLRACE_OK, data);
}

/* The record goes on as it is. */
static inline void millrace_keep(struct millrace_out *out)
{
    millrace_replace(out, out->record->data);
}

/* The record is left out on purpose. */
static inline void millrace_drop(struct millrace_out *out)
{
    millrace_add(out, MILLRACE_DROPPED, (struct millrace_bytes){NULL, 0});
}

/* The record cannot be worked on, for this reason. */
static inline void millrace_fail(struct millrace_out *out, const char *reason)
{
    millrace_add(out, MILLRACE_FAILED, millrace_bytes(reason));
}

/* The whole batch may go through a moment later. */
static inline void millrace_retry(struct millrace_out *out, const char *reason)
{
    out->retry = reason;
}

/* A name and a value of what was put last, for prefixes with dynamic partitioning. */
static inline void
millrace_add_partition_key(struct millrace_out *out, struct millrace_bytes name,
                           struct millrace_bytes value)
{
    struct millrace_output *last = &out->outputs[out->count - 1];
    size_t count = last->partition_key_count;
    struct millrace_pair *pairs = millrace_allocate((count + 1) * sizeof *pairs);
    if (count)
        memcpy(pairs, last->partition_keys, count * sizeof *pairs);
    pairs[count] = (struct millrace_pair){name, value};
    last->partition_keys = pairs;
    last->partition_key_count = count + 1;
}

/* A destination by name for what was put last. */
static inline void millrace_set_target(struct millrace_out *out, struct millrace_bytes name)
{
    out->outputs[out->count - 1].target = (struct millrace_option){1, name};
}

struct millrace_slab {
    struct millrace_bytes bytes;
    uint32_t *ends;
    size_t count;
};

MILLRACE_IMPORT("records", "partition-keys") void millrace_host_partition_keys(struct millrace_slab *);

/* What the producer of a record chose to share a shard. */
static inline struct millrace_bytes millrace_partition_key(const struct millrace_record *record)
{
    struct millrace_slab keys;
    millrace_host_partition_keys(&keys);
    if (record->index >= keys.count)
        return (struct millrace_bytes){NULL, 0};
    size_t start = record->index ? keys.ends[record->index - 1] : 0;
    return (struct millrace_bytes){keys.bytes.data + start, keys.ends[record->index] - start};
}

struct millrace_moments {
    uint64_t *ms;
    size_t count;
};

MILLRACE_IMPORT("records", "arrivals-ms") void millrace_host_arrivals_ms(struct millrace_moments *);

/* When a record arrived, in milliseconds since 1970. */
static inline unsigned long long millrace_arrival_ms(const struct millrace_record *record)
{
    struct millrace_moments arrivals;
    millrace_host_arrivals_ms(&arrivals);
    return record->index < arrivals.count ? arrivals.ms[record->index] : 0;
}

/* in-record */
struct millrace_input {
    uint32_t index;
    struct millrace_bytes data;
};

struct millrace_answer {
    uint8_t is_err;
    union {
        struct {
            struct millrace_output *outputs;
            size_t count;
        } ok;
        struct millrace_fault fault;
    };
};

MILLRACE_EXPORT("transform-simple", "transform")
struct millrace_answer *millrace_transform(struct millrace_input *inputs, size_t count)
{
    struct millrace_answer *answer = millrace_allocate(sizeof *answer);
    struct millrace_out out = {NULL, 0, 0, NULL, NULL};
    for (size_t i = 0; i < count && !out.retry; i++) {
        struct millrace_record record = {.data = inputs[i].data, .index = inputs[i].index};
        size_t before = out.count;
        out.record = &record;
        plugin_transform(&record, &out);
        if (out.count == before)
            millrace_fail(&out, "plugin_transform did not say what becomes of it");
    }
    if (out.retry) {
        answer->is_err = 1;
        answer->fault = (struct millrace_fault){0, millrace_bytes(out.retry)};
    } else {
        answer->is_err = 0;
        answer->ok.outputs = out.outputs;
        answer->ok.count = out.count;
    }
    return answer;
}
MILLRACE_AFTER("transform-simple", "transform", millrace_after_transform)

#endif

/* ---- consumers --------------------------------------------------------------------------- */

#ifdef MILLRACE_CONSUMER

struct millrace_assignment {
    struct millrace_bytes application, stream, shard;
};

/* Works on one batch. A text fails the batch for good, and what it wrote is left out; one that
 * millrace_try_again gave has the batch tried again. */
const char *plugin_process(const struct millrace_record *records, size_t count,
                           uint64_t millis_behind);

/* Called once for the shard of the instance. */
__attribute__((weak)) const char *plugin_start(const struct millrace_assignment *assignment);
/* The shard was split or merged, and all its records are done. */
__attribute__((weak)) const char *plugin_shard_ended(void);
/* The application is being stopped, or swapped for another version. */
__attribute__((weak)) const char *plugin_shutdown_requested(void);
/* Another worker has the shard. */
__attribute__((weak)) void plugin_lease_lost(void);

static const char *millrace_again;

static inline const char *millrace_try_again(const char *reason)
{
    return millrace_again = reason;
}

/* result<option<list<u8>>, string> */
struct millrace_found {
    uint8_t is_err;
    union {
        struct millrace_option value;
        struct millrace_bytes error;
    };
};

struct millrace_entry {
    struct millrace_bytes key, value;
};

/* result<list<entry>, string> */
struct millrace_entries {
    uint8_t is_err;
    union {
        struct {
            struct millrace_entry *entries;
            size_t count;
        } ok;
        struct millrace_bytes error;
    };
};

MILLRACE_IMPORT("table", "get")
void millrace_host_get(const char *, size_t, const unsigned char *, size_t, struct millrace_found *);
MILLRACE_IMPORT("table", "put")
void millrace_host_put(const char *, size_t, const unsigned char *, size_t, const unsigned char *,
                       size_t, struct millrace_result *);
MILLRACE_IMPORT("table", "delete")
void millrace_host_delete(const char *, size_t, const unsigned char *, size_t,
                          struct millrace_result *);
MILLRACE_IMPORT("table", "scan")
void millrace_host_scan(const char *, size_t, const unsigned char *, size_t, const unsigned char *,
                        size_t, uint32_t, struct millrace_entries *);
MILLRACE_IMPORT("emit", "put-records")
void millrace_host_emit(const char *, size_t, const unsigned char *, size_t, const uint32_t *, size_t,
                        const unsigned char *, size_t, const uint32_t *, size_t,
                        struct millrace_result *);
MILLRACE_IMPORT("checkpoint", "done") void millrace_host_done(uint32_t, struct millrace_result *);

/* Reads an entry of a table, which the operator must have granted; `value->data` is NULL where there
 * is none. */
static inline const char *
millrace_get(const char *table, struct millrace_bytes key, struct millrace_bytes *value)
{
    struct millrace_found found;
    millrace_host_get(table, strlen(table), key.data, key.length, &found);
    if (found.is_err)
        return millrace_words(found.error);
    *value = found.value.is_some ? found.value.value : (struct millrace_bytes){NULL, 0};
    if (found.value.is_some && !value->data)
        value->data = (unsigned char *)"";
    return NULL;
}

static inline const char *
millrace_put(const char *table, struct millrace_bytes key, struct millrace_bytes value)
{
    struct millrace_result result;
    millrace_host_put(table, strlen(table), key.data, key.length, value.data, value.length, &result);
    return result.is_err ? millrace_words(result.error) : NULL;
}

static inline const char *millrace_delete(const char *table, struct millrace_bytes key)
{
    struct millrace_result result;
    millrace_host_delete(table, strlen(table), key.data, key.length, &result);
    return result.is_err ? millrace_words(result.error) : NULL;
}

/* Entries in order of their keys, from `first` on, of keys that begin with `prefix`. */
static inline const char *
millrace_scan(const char *table, struct millrace_bytes prefix, struct millrace_bytes first,
              uint32_t limit, struct millrace_entry **entries, size_t *count)
{
    struct millrace_entries found;
    millrace_host_scan(table, strlen(table), prefix.data, prefix.length, first.data, first.length,
                       limit, &found);
    if (found.is_err)
        return millrace_words(found.error);
    *entries = found.ok.entries;
    *count = found.ok.count;
    return NULL;
}

/* Puts a record into another stream, which the operator must have granted. */
static inline const char *
millrace_emit(const char *stream, struct millrace_bytes key, struct millrace_bytes data)
{
    struct millrace_result result;
    uint32_t key_end = key.length, data_end = data.length;
    millrace_host_emit(stream, strlen(stream), key.data, key.length, &key_end, 1, data.data,
                       data.length, &data_end, 1, &result);
    return result.is_err ? millrace_words(result.error) : NULL;
}

/* The first so many records of the batch are done, whatever becomes of the rest. */
static inline const char *millrace_done(uint32_t records)
{
    struct millrace_result result;
    millrace_host_done(records, &result);
    return result.is_err ? millrace_words(result.error) : NULL;
}

/* in-record */
struct millrace_consumed {
    struct millrace_bytes data, partition_key, sequence_number;
    uint64_t sub_sequence_number, arrival_ms;
};

struct millrace_processed {
    uint8_t is_err;
    struct millrace_fault fault;
};

MILLRACE_EXPORT("record-processor-simple", "initialize")
struct millrace_result *
millrace_initialize(unsigned char *application, size_t application_length, unsigned char *stream,
                    size_t stream_length, unsigned char *shard, size_t shard_length)
{
    struct millrace_assignment assignment = {
        {application, application_length}, {stream, stream_length}, {shard, shard_length}};
    return millrace_result(plugin_start ? plugin_start(&assignment) : NULL);
}
MILLRACE_AFTER("record-processor-simple", "initialize", millrace_after_initialize)

MILLRACE_EXPORT("record-processor-simple", "process")
struct millrace_processed *
millrace_process(struct millrace_consumed *consumed, size_t count, uint64_t millis_behind)
{
    struct millrace_processed *answer = millrace_allocate(sizeof *answer);
    struct millrace_record *records = millrace_allocate(count * sizeof *records);
    for (size_t i = 0; i < count; i++)
        records[i] = (struct millrace_record){
            .data = consumed[i].data,
            .partition_key = consumed[i].partition_key,
            .sequence_number = consumed[i].sequence_number,
            .sub_sequence_number = consumed[i].sub_sequence_number,
            .arrival_ms = consumed[i].arrival_ms,
            .index = (uint32_t)i,
        };
    millrace_again = NULL;
    const char *error = plugin_process(records, count, millis_behind);
    *answer = (struct millrace_processed){error != NULL, {0, {NULL, 0}}};
    if (error)
        answer->fault = (struct millrace_fault){error != millrace_again, millrace_bytes(error)};
    return answer;
}
MILLRACE_AFTER("record-processor-simple", "process", millrace_after_process)

MILLRACE_EXPORT("record-processor-simple", "lease-lost") void millrace_lease_lost(void)
{
    if (plugin_lease_lost)
        plugin_lease_lost();
    millrace_end_call();
}

MILLRACE_EXPORT("record-processor-simple", "shard-ended")
struct millrace_result *millrace_shard_ended(void)
{
    return millrace_result(plugin_shard_ended ? plugin_shard_ended() : NULL);
}
MILLRACE_AFTER("record-processor-simple", "shard-ended", millrace_after_shard_ended)

MILLRACE_EXPORT("record-processor-simple", "shutdown-requested")
struct millrace_result *millrace_shutdown_requested(void)
{
    return millrace_result(plugin_shutdown_requested ? plugin_shutdown_requested() : NULL);
}
MILLRACE_AFTER("record-processor-simple", "shutdown-requested", millrace_after_shutdown_requested)

/* ---- the state of consumers -------------------------------------------------------------- */

#ifdef MILLRACE_STATE_VERSION

/* The state after all records so far, at most 256 KiB, in memory that lives until the call ends or
 * longer. Asked for after each batch, and kept with it in the same commit. */
const char *plugin_snapshot(struct millrace_bytes *state);

/* Takes over the state that a version kept whose MILLRACE_STATE_VERSION was this, right after
 * plugin_start: after a crash, or from another version of the plugin. Where it answers a text, the
 * version before goes on. The bytes do not end with a zero, and are gone when this is over. */
const char *plugin_restore(uint32_t version, struct millrace_bytes state);

MILLRACE_EXPORT("state", "state-version") uint32_t millrace_state_version(void)
{
    return MILLRACE_STATE_VERSION;
}

MILLRACE_EXPORT("state", "snapshot") struct millrace_given *millrace_take_snapshot(void)
{
    struct millrace_given *snapshot = millrace_allocate(sizeof *snapshot);
    *snapshot = (struct millrace_given){0, {NULL, 0}};
    const char *error = plugin_snapshot(&snapshot->bytes);
    if (error)
        *snapshot = (struct millrace_given){1, millrace_bytes(error)};
    return snapshot;
}
MILLRACE_AFTER("state", "snapshot", millrace_after_snapshot)

MILLRACE_EXPORT("state", "restore")
struct millrace_result *
millrace_restore(uint32_t version, unsigned char *state, size_t length)
{
    return millrace_result(plugin_restore(version, (struct millrace_bytes){state, length}));
}
MILLRACE_AFTER("state", "restore", millrace_after_restore)

#endif

#endif
#endif
