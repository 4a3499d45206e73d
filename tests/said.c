#include "tests/said.h"

#include "runtime/util/error.h"

#include <unistd.h>

struct listening said_begin(void)
{
    struct listening listening = {.file = tmpfile()};
    fflush(stderr);
    listening.stderr_before = dup(STDERR_FILENO);
    CHECK(listening.file && listening.stderr_before >= 0 && dup2(fileno(listening.file), STDERR_FILENO) >= 0,
          "cannot listen to stderr");
    return listening;
}

char *said_end(struct listening *listening)
{
    fflush(stderr);
    dup2(listening->stderr_before, STDERR_FILENO);
    close(listening->stderr_before);
    fseek(listening->file, 0, SEEK_END);
    size_t size = (size_t)ftell(listening->file);
    char *said = mem_new(size + 1, 1);
    rewind(listening->file);
    CHECK(fread(said, 1, size, listening->file) == size, "cannot read what was said");
    fclose(listening->file);
    return said;
}

int said_times(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}
