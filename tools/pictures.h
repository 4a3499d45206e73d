/* A gallery as something that can be searched.
 *
 *     struct collection pictures;
 *     if (pictures_open(&pictures, &session, &gallery_options, &ann_options, &err) != 0) return -1;
 *     ... finder_run(&found, &pictures, &wish, &err) ...
 *     collection_free(&pictures);
 */
#ifndef OCLIP_PICTURES_H
#define OCLIP_PICTURES_H

#include "tools/ann.h"
#include "tools/finder.h"

/* The approximate index lies in device_cache_folder("ann"), not in the gallery: that may be a stranger's, and faiss
 * trusts what it reads. */
int pictures_open(struct collection *pictures, const struct session *session, const struct gallery_options *options,
                  const struct ann_options *ann, struct error *err) MUST_CHECK;

#endif
