/* Position embeddings of a square of patches, resized to another square.
 *
 *     float *matrix = positions_resize_matrix(37, 16, 1);      // [1 + 16 * 16, 1 + 37 * 37]; caller frees
 *
 * Resizing is linear in the embeddings, so it is one matrix: gradients flow through its transpose. The first rows
 * (the class token's, if there is one) are kept. The weights are those of
 * torch.nn.functional.interpolate(mode="bicubic", align_corners=False): Keys' cubic with a = -0.75, edges repeated, no
 * antialiasing.
 */
#ifndef OCLIP_POSITIONS_H
#define OCLIP_POSITIONS_H

float *positions_resize_matrix(int from, int to, int first);

#endif
