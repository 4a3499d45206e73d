/* The tables of models/files/layout.h for ResNets. Both kinds count a stage's blocks from 0, so the stages stand here
 * one by one. */
#include "models/files/layout_rows.h"

#define CONVOLUTION(our_name, their_name)                                                                              \
    {                                                                                                                  \
        .ours = our_name ".weight", .theirs = their_name ".weight", .channels_last = true                              \
    }
#define BATCH_NORM(ours, theirs)                                                                                       \
    WEIGHT_AND_BIAS(ours, theirs), TENSOR(ours ".running_mean", theirs ".running_mean"),                               \
        TENSOR(ours ".running_var", theirs ".running_var")
#define UNIT(place, number)                                                                                            \
    CONVOLUTION(place "conv" number, place "conv" number), BATCH_NORM(place "bn" number, place "bn" number)
#define STAGE(place)                                                                                                   \
    UNIT(place, "1"), UNIT(place, "2"), UNIT(place, "3"), CONVOLUTION(place "conv0", place "downsample.0"),            \
        BATCH_NORM(place "bn0", place "downsample.1")
#define STAGES STAGE("layer1.%d."), STAGE("layer2.%d."), STAGE("layer3.%d."), STAGE("layer4.%d.")
/* PyTorch counts a norm's batches, which nothing needs where the momentum is a constant. */
#define SPARE .spare = LIST("*num_batches_tracked")

/* timm's and torchvision's ResNet; inside open_clip's models a projection may stand behind it */
static const struct layout_row timm_rows[] = {
    UNIT("", "1"),
    STAGES,
    WEIGHT_AND_BIAS("classifier", "fc"),
    {.ours = "projection.weight", .theirs = "visual.head.proj.weight", .at_root = true},
    END,
};
const struct layout layout_timm_resnet = {
    .name = "timm resnet", .rows = timm_rows, .prefixes = LIST("vision_model.", "model.", ""), SPARE};
const struct layout layout_open_clip_timm_resnet = {
    .name = "open_clip timm resnet", .rows = timm_rows, .prefixes = LIST("visual.trunk."), SPARE};

/* The image tower of OpenAI's and open_clip's RN models */
#define POOL "attnpool."
#define QKV(part)                                                                                                      \
    PART("attention.qkv." part, POOL "q_proj." part, 0, 3), PART("attention.qkv." part, POOL "k_proj." part, 1, 3),    \
        PART("attention.qkv." part, POOL "v_proj." part, 2, 3)
static const struct layout_row clip_rows[] = {
    UNIT("", "1"),
    UNIT("", "2"),
    UNIT("", "3"),
    STAGES,
    TENSOR("position", POOL "positional_embedding"),
    QKV("weight"),
    QKV("bias"),
    WEIGHT_AND_BIAS("attention.out", POOL "c_proj"),
    END,
};
const struct layout layout_open_clip_resnet = {
    .name = "open_clip resnet", .rows = clip_rows, .prefixes = LIST("visual."), SPARE};
