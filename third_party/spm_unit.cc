extern "C" {
#include "third_party/spm.h"
}

#include <cstdlib>
#include <exception>
#include <new>
#include <sentencepiece_processor.h>
#include <string>
#include <vector>

struct spm {
    sentencepiece::SentencePieceProcessor processor;
};

extern "C" int spm_built(void)
{
    return 1;
}

extern "C" int spm_open(struct spm **out, const char *bytes, size_t size)
{
    *out = new struct spm;
    try {
        if ((*out)->processor.LoadFromSerializedProto(absl::string_view(bytes, size)).ok())
            return 0;
    } catch (const std::exception &) { /* the library reports most faults of a model, but its trie throws */
    }
    delete *out;
    *out = nullptr;
    return -1;
}

extern "C" void spm_close(struct spm *model)
{
    delete model;
}

extern "C" int spm_size(const struct spm *model)
{
    return model->processor.GetPieceSize();
}

extern "C" int spm_find(const struct spm *model, const char *piece)
{
    int id = model->processor.PieceToId(piece);
    return id >= 0 && id < spm_size(model) && model->processor.IdToPiece(id) == piece ? id : -1;
}

extern "C" size_t spm_encode(int **ids, const struct spm *model, const char *text, size_t bytes)
{
    std::vector<std::string> pieces;
    if (!model->processor.Encode(absl::string_view(text, bytes), &pieces).ok())
        pieces.clear();
    *ids = static_cast<int *>(std::malloc((pieces.size() + 1) * sizeof **ids));
    if (!*ids)
        throw std::bad_alloc();
    for (size_t i = 0; i < pieces.size(); i++)
        (*ids)[i] = model->processor.PieceToId(pieces[i]);
    return pieces.size();
}
