/* A pair of towers small enough to train from nothing in a minute on a CPU: for tests, and where no weights can be had.
 */
#include "models/clip_files.h"

json_t *clip_tiny_vision_config(struct preprocess *preprocess)
{
    *preprocess = (struct preprocess){
        .resize = 96,
        .crop = 96,
        .mean = {0.5f, 0.5f, 0.5f},
        .std = {0.25f, 0.25f, 0.25f},
        .filter = &resize_filters[RESIZE_BICUBIC],
    };
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f}", "model_type", "dinov2", "hidden_size", 128,
                     "num_hidden_layers", 4, "num_attention_heads", 4, "mlp_ratio", 4, "patch_size", 12, "image_size",
                     96, "hidden_act", "gelu", "layer_norm_eps", 1e-6);
}

json_t *clip_tiny_text_config(int vocabulary)
{
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f, s:f, s:s, s:b}", "model_type", "bert",
                     "hidden_size", 128, "num_hidden_layers", 2, "num_attention_heads", 4, "intermediate_size", 512,
                     "vocab_size", vocabulary, "max_position_embeddings", 64, "type_vocab_size", 2, "hidden_act",
                     "gelu", "layer_norm_eps", 1e-12, "hidden_dropout_prob", 0.0, "oclip_pooling", "mean",
                     "oclip_normalise", 0);
}
