#include "models/images/reader.h"

const unsigned char *reader_take(struct reader *reader, size_t count)
{
    if (count > reader->size - reader->at) {
        reader->at = reader->size;
        reader->ended = true;
        return NULL;
    }
    const unsigned char *taken = reader->bytes + reader->at;
    reader->at += count;
    return taken;
}

void reader_skip(struct reader *reader, size_t count)
{
    (void)reader_take(reader, count);
}

unsigned reader_u8(struct reader *reader)
{
    const unsigned char *byte = reader_take(reader, 1);
    return byte ? byte[0] : 0;
}

unsigned reader_u16(struct reader *reader)
{
    unsigned low = reader_u8(reader);
    return low | reader_u8(reader) << 8;
}

uint32_t reader_u32(struct reader *reader)
{
    uint32_t low = reader_u16(reader);
    return low | (uint32_t)reader_u16(reader) << 16;
}
