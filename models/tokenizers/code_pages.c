#include "models/tokenizers/code_pages.h"

const uint8_t *code_page_bytes(uint32_t point)
{
    size_t low = 0, high = code_page_row_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (point > code_page_rows[middle].point)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < code_page_row_count && code_page_rows[low].point == point;
    return found ? code_page_rows[low].bytes : NULL;
}

bool code_page_is_windows(enum code_page page)
{
    return page >= CODE_PAGE_WINDOWS_1252 && page <= CODE_PAGE_WINDOWS_1257;
}
