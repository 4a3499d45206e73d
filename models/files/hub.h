/* Hugging Face's local cache: where "hf:org/name" stands on this machine.
 *
 *     char *folder;
 *     if (hub_folder(&folder, "hf:openai/clip-vit-base-patch32", &err) != 0) return error_report(&err);
 *     ... folder is ~/.cache/huggingface/hub/models--openai--clip-vit-base-patch32/snapshots/3d74acf9... ...
 *     free(folder);
 *
 * The cache is HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub. Nothing is downloaded: where the model is
 * missing, the error gives the command that fetches it.
 */
#ifndef OCLIP_HUB_H
#define OCLIP_HUB_H

#include "runtime/util/error.h"

/* A name without "hf:" is a folder, and comes back as it is; a file is refused. Caller frees. */
int hub_folder(char **folder, const char *name, struct error *err) MUST_CHECK;

#endif
