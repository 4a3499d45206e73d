/* The tables of models/files/layout.h for ResNets. Both kinds count a stage's blocks from 0, so the stages stand here
 * one by one. */
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
#define CONVOLUTION(our_name, their_name)                                                                              \
    {                                                                                                                  \
        .ours = our_name ".weight", .theirs = their_name ".weight", .channels_last = true                              \
    }
#define WEIGHT_AND_BIAS(ours, theirs) TENSOR(ours ".weight", theirs ".weight"), TENSOR(ours ".bias", theirs ".bias")
#define BATCH_NORM(ours, theirs)                                                                                       \
    WEIGHT_AND_BIAS(ours, theirs), TENSOR(ours ".running_mean", theirs ".running_mean"),                               \
        TENSOR(ours ".running_var", theirs ".running_var")
#define UNIT(theirs, place, number)                                                                                    \
    CONVOLUTION(place "conv" number, theirs place "conv" number),                                                      \
        BATCH_NORM(place "bn" number, theirs place "bn" number)
#define STAGE(theirs, place)                                                                                           \
    UNIT(theirs, place, "1"), UNIT(theirs, place, "2"), UNIT(theirs, place, "3"),                                      \
        CONVOLUTION(place "conv0", theirs place "downsample.0"), BATCH_NORM(place "bn0", theirs place "downsample.1")
#define STAGES(theirs)                                                                                                 \
    STAGE(theirs, "layer1.%d."), STAGE(theirs, "layer2.%d."), STAGE(theirs, "layer3.%d."), STAGE(theirs, "layer4.%d.")
#define END TENSOR(NULL, NULL)

/* timm's and torchvision's ResNet */
static const struct layout_row timm_rows[] = {
    UNIT("", "", "1"),
    STAGES(""),
    WEIGHT_AND_BIAS("classifier", "fc"),
    END,
};
const struct layout layout_timm_resnet = {.name = "timm resnet", .rows = timm_rows};

/* The image tower of OpenAI's and open_clip's RN models */
#define POOL "visual.attnpool."
#define QKV(part)                                                                                                      \
    PART("attention.qkv." part, POOL "q_proj." part, 0, 3), PART("attention.qkv." part, POOL "k_proj." part, 1, 3),    \
        PART("attention.qkv." part, POOL "v_proj." part, 2, 3)
static const struct layout_row clip_rows[] = {
    UNIT("visual.", "", "1"),
    UNIT("visual.", "", "2"),
    UNIT("visual.", "", "3"),
    STAGES("visual."),
    TENSOR("position", POOL "positional_embedding"),
    QKV("weight"),
    QKV("bias"),
    WEIGHT_AND_BIAS("attention.out", POOL "c_proj"),
    END,
};
const struct layout layout_clip_resnet = {.name = "clip resnet", .rows = clip_rows, .rooted = true};
