/* A walk through the bytes of a file in memory that cannot leave them.
 *
 *     struct reader reader = {bytes, size, 0, false};
 *     unsigned width = reader_u16(&reader), height = reader_u16(&reader);
 *     if (reader.ended) ...                          // what was missing has come out as zeros
 */
#ifndef OCLIP_READER_H
#define OCLIP_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const unsigned char *bytes; // [size]
    size_t size, at;
    bool ended; /* somebody wanted more than there is */
};

unsigned reader_u8(struct reader *reader);
unsigned reader_u16(struct reader *reader); /* little-endian, both */
uint32_t reader_u32(struct reader *reader);
void reader_skip(struct reader *reader, size_t count);

/* The next `count` bytes, NULL if there are fewer. */
const unsigned char *reader_take(struct reader *reader, size_t count);

#endif
