/* What a device can do at most: multiply-adds on registers, and copying memory. Measured, not read off a data sheet.
 *
 *     struct peak peak;
 *     if (peak_measure(&peak, dev, &err) != 0) return -1;
 *     printf("%.0f GFLOP/s, %.0f GB/s\n", peak.gflops, peak.gbytes);
 */
#ifndef OCLIP_PEAK_H
#define OCLIP_PEAK_H

#include "runtime/device.h"

struct peak {
    double gflops; /* 1e9 float operations a second; a fused multiply-add counts as two */
    double gbytes; /* 1e9 bytes a second, read and written */
};

/* Takes about a second. */
int peak_measure(struct peak *peak, struct device *dev, struct error *err) MUST_CHECK;

#endif
