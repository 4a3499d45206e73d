#define _GNU_SOURCE
#include "trainer/tensorboard.h"

#include "runtime/util/file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- protocol buffers: fields one after another, each a key (number and wire type) and a value ---- */

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
enum { EVENT_WALL_TIME = 1, EVENT_STEP = 2, EVENT_FILE_VERSION = 3, EVENT_SUMMARY = 5, EVENT_SESSION_LOG = 7 };
enum { SUMMARY_VALUE = 1, VALUE_TAG = 1, VALUE_SIMPLE = 2, SESSION_LOG_STATUS = 1, STATUS_START = 1 };

struct message {
    unsigned char bytes[256];
    size_t size;
};

static void put_bytes(struct message *message, const void *bytes, size_t count)
{
    CHECK(message->size + count <= sizeof message->bytes, "an event of more than %zu bytes", sizeof message->bytes);
    memcpy(message->bytes + message->size, bytes, count);
    message->size += count;
}

static void put_little_endian(struct message *message, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        put_bytes(message, &(unsigned char){(unsigned char)(number >> 8 * i)}, 1);
}

/* Seven bits a byte, the lowest first; the top bit says that more follow. */
static void put_varint(struct message *message, uint64_t number)
{
    for (; number >= 128; number >>= 7)
        put_little_endian(message, (number & 127) | 128, 1);
    put_little_endian(message, number, 1);
}

static void put_key(struct message *message, int field, enum wire wire)
{
    put_varint(message, (uint64_t)field << 3 | wire);
}

static void put_integer(struct message *message, int field, uint64_t value)
{
    put_key(message, field, WIRE_VARINT);
    put_varint(message, value);
}

static void put_double(struct message *message, int field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(message, field, WIRE_64);
    put_little_endian(message, bits, 8);
}

static void put_float(struct message *message, int field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(message, field, WIRE_32);
    put_little_endian(message, bits, 4);
}

static void put_text(struct message *message, int field, const char *text)
{
    put_key(message, field, WIRE_BYTES);
    put_varint(message, strlen(text));
    put_bytes(message, text, strlen(text));
}

static void put_message(struct message *message, int field, const struct message *inner)
{
    put_key(message, field, WIRE_BYTES);
    put_varint(message, inner->size);
    put_bytes(message, inner->bytes, inner->size);
}

/* ---- records: length, checksum of the length, bytes, checksum of the bytes ---- */

/* CRC-32C (Castagnoli), turned and shifted as TFRecords have it, so that checksums of checksums stay good. */
static uint32_t masked_crc(const unsigned char *bytes, size_t count)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void write_record(FILE *events, const struct message *event)
{
    struct message head = {.size = 0}, tail = {.size = 0};
    put_little_endian(&head, event->size, 8);
    put_little_endian(&head, masked_crc(head.bytes, 8), 4);
    put_little_endian(&tail, masked_crc(event->bytes, event->size), 4);
    fwrite(head.bytes, 1, head.size, events);
    fwrite(event->bytes, 1, event->size, events);
    fwrite(tail.bytes, 1, tail.size, events);
}

static struct message event_at(int step)
{
    struct message event = {.size = 0};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    put_double(&event, EVENT_WALL_TIME, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
    put_integer(&event, EVENT_STEP, (uint64_t)step);
    return event;
}

int tensorboard_open(FILE **events, const char *folder, int step, struct error *err)
{
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    if (file_make_folders(folder, err) != 0)
        return -1;
    char *path = mem_format("%s/events.out.tfevents.%lld.%s.%ld", folder, (long long)time(NULL), host, (long)getpid());
    *events = fopen(path, "ab");
    int result = *events ? 0 : error_set(err, EXIT_FAILED, "%s: cannot be written", path);
    free(path);
    if (result != 0)
        return -1;
    struct message version = event_at(0), start = event_at(step + 1), status = {.size = 0};
    put_text(&version, EVENT_FILE_VERSION, "brain.Event:2");
    write_record(*events, &version);
    put_integer(&status, SESSION_LOG_STATUS, STATUS_START);
    put_message(&start, EVENT_SESSION_LOG, &status);
    write_record(*events, &start);
    return 0;
}

void tensorboard_scalar(FILE *events, const char *tag, int step, double value)
{
    struct message event = event_at(step), summary = {.size = 0}, scalar = {.size = 0};
    put_text(&scalar, VALUE_TAG, tag);
    put_float(&scalar, VALUE_SIMPLE, (float)value);
    put_message(&summary, SUMMARY_VALUE, &scalar);
    put_message(&event, EVENT_SUMMARY, &summary);
    write_record(events, &event);
}
