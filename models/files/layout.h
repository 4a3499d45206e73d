/* Whose names stand for which parameters: tables that load a foreign file into the arena and write it back.
 *
 *     layout_load(arena, &layout_dinov2, "image", layers, file, "", &err);
 *
 * A row names our parameter (behind "PREFIX.") and the tensor in the file (behind its own prefix); %d is the layer.
 * Where several tensors make one parameter (query, key and value) each row says which part of dimension 0 it is.
 * The tables stand in layout_tables.c and layout_resnet.c.
 */
#ifndef OCLIP_LAYOUT_H
#define OCLIP_LAYOUT_H

#include "models/files/safetensors.h"
#include "runtime/arena.h"

struct layout_row {
    const char *ours, *theirs;
    int part, parts;    /* parts 0 is read as 1 */
    int leading_ones;   /* dimensions of 1 that their shape has before ours; LAYOUT_SCALAR: theirs has none at all */
    bool transposed;    /* their matrix is [in, out] */
    bool channels_last; /* in ours: [out, height, width, in], theirs is [out, in, height, width] */
};
enum { LAYOUT_SCALAR = -1 };

struct layout {
    const char *name;
    const struct layout_row *rows; /* ends at ours NULL */
    bool rooted;                   /* their names are whole: no prefix goes before them */
};
extern const struct layout layout_dinov2, layout_timm_vit, layout_bert;
extern const struct layout layout_clip_vision, layout_clip_text;           /* transformers' */
extern const struct layout layout_open_clip_visual, layout_open_clip_text; /* open_clip's own */
extern const struct layout layout_timm_resnet, layout_clip_resnet;
extern const struct layout layout_head_mlp, layout_head_linear, layout_head_none, layout_logit_scale;

/* Every declared parameter that the layout names must be in the file with its shape; the error names what is not. */
int layout_load(struct arena *arena, const struct layout *layout, const char *our_prefix, int layers,
                const struct safetensors *file, const char *their_prefix, struct error *err) MUST_CHECK;

/* Tensors to be written: names and numbers are owned by the list. */
struct tensor_list {
    struct stored_tensor *items; // [count]
    int count, capacity;
};
void layout_collect(struct tensor_list *list, const struct arena *arena, const struct layout *layout,
                    const char *our_prefix, int layers, const char *their_prefix);
void tensor_list_free(struct tensor_list *list);

#endif
