/* WebP by libwebp: lossy, lossless, with alpha; of an animation the first frame on a black canvas. */
#include "models/images/decoders.h"

#include <webp/decode.h>
#include <webp/demux.h>

static int draw_frame(struct picture *picture, const WebPIterator *frame, const char *name, struct error *err)
{
    if (frame->x_offset < 0 || frame->y_offset < 0 || frame->width > picture->width - frame->x_offset ||
        frame->height > picture->height - frame->y_offset)
        return error_set(err, EXIT_BAD_DATA, "%s: broken WebP: the first frame leaves the canvas", name);
    size_t stride = 3 * (size_t)picture->width;
    size_t start = (size_t)frame->y_offset * stride + 3 * (size_t)frame->x_offset;
    if (!WebPDecodeRGBInto(frame->fragment.bytes, frame->fragment.size, picture->pixels + start,
                           stride * (size_t)picture->height - start, (int)stride))
        return error_set(err, EXIT_BAD_DATA, "%s: broken WebP: its pixels cannot be decoded", name);
    return 0;
}

int webp_decode(struct picture *picture, const unsigned char *bytes, size_t size, const char *name, struct error *err)
{
    WebPData data = {bytes, size};
    WebPDemuxer *demuxer = WebPDemux(&data);
    if (!demuxer)
        return error_set(err, EXIT_BAD_DATA, "%s: broken WebP: the file is damaged or ends too early", name);
    int result = picture_new(picture, WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH),
                             WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT), name, err);
    WebPIterator frame = {0};
    if (result == 0)
        result = WebPDemuxGetFrame(demuxer, 1, &frame)
                     ? draw_frame(picture, &frame, name, err)
                     : error_set(err, EXIT_BAD_DATA, "%s: broken WebP: it has no frame", name);
    WebPDemuxReleaseIterator(&frame);
    WebPDemuxDelete(demuxer);
    return result;
}
