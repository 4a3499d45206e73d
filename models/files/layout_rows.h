/* What the tables of layouts are written with. Only layout_tables.c and layout_resnet.c include this. */
#ifndef OCLIP_LAYOUT_ROWS_H
#define OCLIP_LAYOUT_ROWS_H

#include "models/files/layout.h"

#include <stddef.h>

#define TENSOR(our_name, their_name)                                                                                   \
    {                                                                                                                  \
        .ours = our_name, .theirs = their_name                                                                         \
    }
#define PART(our_name, their_name, number, count)                                                                      \
    {                                                                                                                  \
        .ours = our_name, .theirs = their_name, .part = number, .parts = count                                         \
    }
#define WEIGHT_AND_BIAS(ours, theirs) TENSOR(ours ".weight", theirs ".weight"), TENSOR(ours ".bias", theirs ".bias")
#define END TENSOR(NULL, NULL)
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
