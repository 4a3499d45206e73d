/* Whose names stand for which parameters: tables that load a foreign file into the arena and write it back.
 *
 *     const char *prefix = layout_prefix(&layout_dinov2, file);      // where in the file the tower stands
 *     if (layout_load(arena, &layout_dinov2, "image", layers, file, prefix, &err) != 0) return -1;
 *
 * A row names our parameter (behind "PREFIX.") and the tensor in the file (behind its own prefix); %d is the layer.
 * Where several tensors make one parameter (query, key and value) each row says which part of dimension 0 it is; where
 * one tensor is several parameters, which piece of it ours is. The tables stand in layout_tables.c and layout_resnet.c.
 */
#ifndef OCLIP_LAYOUT_H
#define OCLIP_LAYOUT_H

#include "models/files/safetensors.h"
#include "runtime/arena.h"

struct layout_row {
    const char *ours, *theirs;
    int part, parts;         /* theirs is this part of ours; parts 0 is read as 1 */
    int piece, span, pieces; /* ours is `span` of the pieces of theirs, from this one on; pieces 0: all of it */
    int leading_ones;   /* dimensions of 1 that their shape has before ours; LAYOUT_SCALAR: theirs has none at all */
    bool transposed;    /* their matrix is [in, out] */
    bool channels_last; /* in ours: [out, height, width, in]; theirs is [out, in, height, width] */
    bool at_root;       /* no prefix goes before their name */
};
enum { LAYOUT_SCALAR = -1 };

struct layout {
    const char *name;
    const struct layout_row *rows; /* ends at ours NULL */
    const char *const *prefixes;   /* where in a file it may stand; ends at NULL. The first is where it is written */
    const char *const *spare; /* what may stand there too, though nothing here uses it: fnmatch patterns, to NULL */
};
extern const struct layout layout_vit, layout_dinov2, layout_clip_vision, layout_siglip_vision; /* transformers' */
extern const struct layout layout_bert, layout_bert_gamma, layout_clip_text, layout_siglip_text;
extern const struct layout layout_timm_vit, layout_timm_resnet;
/* open_clip's own */
extern const struct layout layout_open_clip_visual, layout_open_clip_resnet;
extern const struct layout layout_open_clip_timm, layout_open_clip_timm_resnet;
extern const struct layout layout_open_clip_text, layout_open_clip_custom_text, layout_open_clip_siglip_text;
/* What both towers share, and the heads of trained pairs; these stand in one place only. */
extern const struct layout layout_head_mlp, layout_head_linear, layout_head_none, layout_scales, layout_siglip_scales;

/* The prefix under which the file has the layout's first tensor, or NULL. */
const char *layout_prefix(const struct layout *layout, const struct safetensors *file);

/* Every declared parameter that the layout names must be in the file with its shape; the error names what is not.
 * Numbers go straight into the arena's memory, and the file's pages are let go behind them. */
int layout_load(struct arena *arena, const struct layout *layout, const char *our_prefix, int layers,
                struct safetensors *file, const char *their_prefix, struct error *err) MUST_CHECK;

/* Whether a tensor of the file is one that the layout lets lie. */
bool layout_spares(const struct layout *layout, const char *their_prefix, const char *name);

/* Tensors to be written: names and numbers are owned by the list. LoRA's updates are merged into them. */
struct tensor_list {
    struct stored_tensor *items; // [count]
    int count, capacity;
};
void layout_collect(struct tensor_list *list, const struct arena *arena, const struct layout *layout,
                    const char *our_prefix, int layers, const char *their_prefix, enum stored_dtype dtype);
/* LoRA's updates by themselves (lora.h), for modules named by the layout. */
void layout_collect_updates(struct tensor_list *list, const struct arena *arena, const struct layout *layout,
                            const char *our_prefix, int layers, const char *their_prefix);
void tensor_list_add_copy(struct tensor_list *list, const struct stored_tensor *tensor);
void tensor_list_free(struct tensor_list *list);

#endif
