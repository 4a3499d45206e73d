#include "third_party/faiss_index.h"

static int is_missing(char problem[FAISS_PROBLEM])
{
    snprintf(problem, FAISS_PROBLEM, "this oclip was built without faiss (libfaiss-dev)");
    return -1;
}

int faiss_index_built(void)
{
    return 0;
}

int faiss_index_make(struct faiss_index **out, char problem[FAISS_PROBLEM], const char *factory, const float *rows,
                     size_t n, size_t dim)
{
    (void)factory;
    (void)rows;
    (void)n;
    (void)dim;
    *out = NULL;
    return is_missing(problem);
}

void faiss_index_close(struct faiss_index *index)
{
    (void)index;
}

int faiss_index_write(char problem[FAISS_PROBLEM], const struct faiss_index *index, FILE *stream)
{
    (void)index;
    (void)stream;
    return is_missing(problem);
}

int faiss_index_read(struct faiss_index **out, char problem[FAISS_PROBLEM], FILE *stream)
{
    (void)stream;
    *out = NULL;
    return is_missing(problem);
}

size_t faiss_index_rows(const struct faiss_index *index)
{
    (void)index;
    return 0;
}

size_t faiss_index_dim(const struct faiss_index *index)
{
    (void)index;
    return 0;
}

int faiss_index_search(long *numbers, char problem[FAISS_PROBLEM], struct faiss_index *index, const char *effort,
                       const float *query, size_t k)
{
    (void)numbers;
    (void)index;
    (void)effort;
    (void)query;
    (void)k;
    return is_missing(problem);
}
