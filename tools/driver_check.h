/* What `devices --check` does: explains what is wrong with drivers, and runs a device's self-test anew.
 *
 *     driver_check_files(stdout);                       // .icd files and device nodes, a line and a remedy each
 *     bool fine = driver_check_device(stdout, dev);     // every check, a line each
 */
#ifndef OCLIP_DRIVER_CHECK_H
#define OCLIP_DRIVER_CHECK_H

#include "runtime/device.h"

#include <stdio.h>

/* Returns the number of things that are wrong. */
int driver_check_files(FILE *out);

bool driver_check_device(FILE *out, struct device *dev);

#endif
