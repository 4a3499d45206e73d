extern "C" {
#include "third_party/faiss_index.h"
}

#include <cstdint>
#include <exception>
#include <faiss/AutoTune.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>
#include <memory>
#include <vector>

struct faiss_index {
    std::unique_ptr<faiss::Index> index;
};

/* C knows no exceptions: the last line of one becomes the problem. */
template <typename Work> static int attempt(char problem[FAISS_PROBLEM], Work work)
{
    try {
        work();
        return 0;
    } catch (const std::exception &e) {
        std::snprintf(problem, FAISS_PROBLEM, "%s", e.what());
    }
    return -1;
}

extern "C" int faiss_index_built(void)
{
    return 1;
}

extern "C" int faiss_index_make(struct faiss_index **out, char problem[FAISS_PROBLEM], const char *factory,
                                const float *rows, size_t n, size_t dim)
{
    return attempt(problem, [&] {
        std::unique_ptr<faiss::Index> index(
            faiss::index_factory(static_cast<int>(dim), factory, faiss::METRIC_INNER_PRODUCT));
        index->train(static_cast<int64_t>(n), rows);
        index->add(static_cast<int64_t>(n), rows);
        *out = new faiss_index{std::move(index)};
    });
}

extern "C" void faiss_index_close(struct faiss_index *index)
{
    delete index;
}

extern "C" int faiss_index_write(char problem[FAISS_PROBLEM], const struct faiss_index *index, FILE *stream)
{
    return attempt(problem, [&] { faiss::write_index(index->index.get(), stream); });
}

extern "C" int faiss_index_read(struct faiss_index **out, char problem[FAISS_PROBLEM], FILE *stream)
{
    return attempt(problem, [&] {
        std::unique_ptr<faiss::Index> index(faiss::read_index(stream));
        *out = new faiss_index{std::move(index)};
    });
}

extern "C" size_t faiss_index_rows(const struct faiss_index *index)
{
    return static_cast<size_t>(index->index->ntotal);
}

extern "C" size_t faiss_index_dim(const struct faiss_index *index)
{
    return static_cast<size_t>(index->index->d);
}

extern "C" int faiss_index_search(long *numbers, char problem[FAISS_PROBLEM], struct faiss_index *index,
                                  const char *effort, const float *query, size_t k)
{
    return attempt(problem, [&] {
        faiss::ParameterSpace().set_index_parameters(index->index.get(), effort);
        std::vector<float> scores(k);
        std::vector<faiss::Index::idx_t> found(k);
        index->index->search(1, query, static_cast<int64_t>(k), scores.data(), found.data());
        for (size_t i = 0; i < k; i++)
            numbers[i] = static_cast<long>(found[i]);
    });
}
