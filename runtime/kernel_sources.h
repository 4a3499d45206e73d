/* The kernel files of cl/, embedded at build time (third_party/embed_kernels.cmake). */
#ifndef OCLIP_KERNEL_SOURCES_H
#define OCLIP_KERNEL_SOURCES_H

struct kernel_source {
    const char *name; /* "layernorm.cl"; NULL ends the table */
    const char *text; /* opens with #line */
};
extern const struct kernel_source kernel_sources[];

#endif
