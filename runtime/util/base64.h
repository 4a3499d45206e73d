/* Bytes as text (RFC 4648, section 4).
 *
 *     base64_write(stream, bytes, count);
 *     unsigned char *bytes;
 *     size_t count;
 *     if (!base64_read(&bytes, &count, "aGVsbG8=")) ...          // no base64
 *     free(bytes);
 */
#ifndef OCLIP_BASE64_H
#define OCLIP_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

void base64_write(FILE *stream, const unsigned char *bytes, size_t count);

/* Strict, but what encoders put into the text to break it (line ends) is passed over, and the padding may be missing.
 * The caller frees the bytes [count]. */
bool base64_read(unsigned char **bytes, size_t *count, const char *text);

#endif
