# An SVG of a run's losses and recall, from results.jsonl:  awk -f tools/curve.awk runs/NAME/results.jsonl
# Left axis: loss. Right axis: recall at 10 in percent. One line of the file is one epoch.

function number(key,    at) {
    at = match($0, "\"" key "\":[-+0-9.eE]+")
    return at ? substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3) + 0 : 0
}

function x(epoch) { return left + width * (epochs > 1 ? (epoch - 1) / (epochs - 1) : 0) }
function y(value, top_value) { return top + height * (1 - value / top_value) }

function line(values, top_value, style,    i, points) {
    for (i = 1; i <= epochs; i++)
        points = points sprintf("%.1f,%.1f ", x(i), y(values[i], top_value))
    printf "<polyline points=\"%s\" fill=\"none\" stroke-width=\"2.2\" %s/>\n", points, style
}

function text(px, py, anchor, words) {
    printf "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\">%s</text>\n", px, py, anchor, words
}

{
    epochs++
    train[epochs] = number("train_loss")
    val[epochs] = number("val_loss")
    to_text[epochs] = number("text_retrieval_recall@10")
    to_image[epochs] = number("image_retrieval_recall@10")
    if (train[epochs] > largest) largest = train[epochs]
    if (val[epochs] > largest) largest = val[epochs]
}

END {
    if (epochs == 0)
        exit 1
    left = 46; top = 16; width = 640; height = 220
    ceiling = int(largest + 1)
    printf "<svg viewBox=\"0 0 740 300\" role=\"img\" aria-label=\"Loss and recall by epoch\" style=\"width:100%%;max-width:740px;" \
           "font:12px system-ui,sans-serif\" fill=\"currentColor\">\n"
    for (i = 0; i <= 4; i++) {
        py = top + height * i / 4
        printf "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"currentColor\" opacity=\".15\"/>\n", left, left + width, py, py
        text(left - 8, py + 4, "end", sprintf("%.1f", ceiling * (4 - i) / 4))
        text(left + width + 8, py + 4, "start", sprintf("%d %%", 25 * (4 - i)))
    }
    line(train, ceiling, "stroke=\"#0b6e99\"")
    line(val, ceiling, "stroke=\"#0b6e99\" stroke-dasharray=\"6 4\"")
    line(to_text, 1, "stroke=\"#c4622d\"")
    line(to_image, 1, "stroke=\"#3f8f4f\"")
    text(left, top + height + 20, "start", "epoch 1")
    text(left + width, top + height + 20, "end", "epoch " epochs)
    printf "<g stroke-width=\"2.2\"><line x1=\"46\" x2=\"70\" y1=\"276\" y2=\"276\" stroke=\"#0b6e99\"/>" \
           "<line x1=\"176\" x2=\"200\" y1=\"276\" y2=\"276\" stroke=\"#0b6e99\" stroke-dasharray=\"6 4\"/>" \
           "<line x1=\"322\" x2=\"346\" y1=\"276\" y2=\"276\" stroke=\"#c4622d\"/>" \
           "<line x1=\"530\" x2=\"554\" y1=\"276\" y2=\"276\" stroke=\"#3f8f4f\"/></g>\n"
    text(76, 280, "start", "training loss")
    text(206, 280, "start", "validation loss")
    text(352, 280, "start", "photo to text, recall at 10")
    text(560, 280, "start", "text to photo, recall at 10")
    print "</svg>"
}
