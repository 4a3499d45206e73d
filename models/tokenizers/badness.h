/* Whether text looks like mojibake: UTF-8 that was read as a one-byte encoding.
 *
 *     badness_found(points, count);       // "sÃ³": true; "só": false
 *
 * Source: the heuristic of the Python package ftfy 6.3 (ftfy/badness.py): characters that mojibake is made of, by kind,
 * and sequences of kinds that people hardly write.
 */
#ifndef OCLIP_BADNESS_H
#define OCLIP_BADNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool badness_found(const uint32_t *points, size_t count); // points: [count]

#endif
