/* The faiss library behind C: indexes by inner product. faiss_unit.cc where it was found, else faiss_missing.c.
 * (faiss has a C interface of its own, but Debian's package leaves it out.)
 *
 *     char problem[FAISS_PROBLEM];
 *     struct faiss_index *index;
 *     if (faiss_index_make(&index, problem, "IVF1024,Flat", rows, n, dim) != 0) ...    // problem says why
 *     long numbers[10];
 *     faiss_index_search(numbers, problem, index, "nprobe=16", query, 10);
 *     faiss_index_close(index);
 *
 * Failures are -1 and a line in problem. Source: Johnson, Douze and Jegou 2017; Malkov and Yashunin 2016 for HNSW.
 */
#ifndef OCLIP_FAISS_INDEX_H
#define OCLIP_FAISS_INDEX_H

#include <stddef.h>
#include <stdio.h>

enum { FAISS_PROBLEM = 512 };
struct faiss_index;

int faiss_index_built(void); /* whether the library is part of this build */

/* factory: in the words of faiss's index_factory. rows [n, dim], numbered from 0 on; they are copied. */
int faiss_index_make(struct faiss_index **out, char problem[FAISS_PROBLEM], const char *factory, const float *rows,
                     size_t n, size_t dim);
void faiss_index_close(struct faiss_index *index); /* NULL is allowed */

/* In faiss's own form. The library trusts what it reads: only files this user wrote may come here. */
int faiss_index_write(char problem[FAISS_PROBLEM], const struct faiss_index *index, FILE *stream);
int faiss_index_read(struct faiss_index **out, char problem[FAISS_PROBLEM], FILE *stream);

size_t faiss_index_rows(const struct faiss_index *index);
size_t faiss_index_dim(const struct faiss_index *index);

/* The rows nearest to query [dim], best first, into numbers [k]; -1 where there are no more. effort: parameters such as
 * "nprobe=16" or "efSearch=64", "" for none. */
int faiss_index_search(long *numbers, char problem[FAISS_PROBLEM], struct faiss_index *index, const char *effort,
                       const float *query, size_t k);

#endif
