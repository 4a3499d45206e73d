/* The build options of kernels that move a window over pictures (spot_of in cl/common.clh).
 *
 *     LAUNCH_WITH(dev, "max_pool.cl", "max_pool_forward", window_options(3, 2, 1).text, ...);
 */
#ifndef OCLIP_WINDOW_H
#define OCLIP_WINDOW_H

#include <stdio.h>

struct window_options {
    char text[64];
};

static inline struct window_options window_options(int side, int stride, int padding)
{
    struct window_options options;
    snprintf(options.text, sizeof options.text, "-DSIDE=%d -DSTRIDE=%d -DPADDING=%d", side, stride, padding);
    return options;
}

#endif
