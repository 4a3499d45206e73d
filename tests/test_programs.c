/* The tools as people meet them: what a right call prints, and that a wrong one gives one line that names the thing,
 * and the right exit code. */
#define _GNU_SOURCE
#include "models/clip.h"
#include "runtime/device.h"
#include "runtime/util/file.h"
#include "tests/scratch.h"
#include "tools/draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Run by a shell in a folder that prepare() fills; `$T` holds the tools. */
static const struct call {
    const char *command;
    int exit;
    const char *says;   /* its one message on stderr mentions this; NULL: stderr stays empty */
    const char *prints; /* on stdout; NULL: nothing is printed; "": anything */
} calls[] = {
    /* what is right */
    {"$T/devices", EXIT_OK, NULL, "<- auto"},
    {"$T/devices --json", EXIT_OK, NULL, "{\"devices\":[{\"index\":0,"},
    {"$T/devices --paths", EXIT_OK, NULL, "packed-weights  weights"},
    {"$T/retrieve --gallery photos --model model --without tile,attention,packed-weights 'a dog'", EXIT_OK, NULL,
     "  photos/"},
    {"$T/retrieve --gallery photos --model model --without haste 'a dog'", EXIT_USAGE, "no fast path \"haste\"", NULL},
    {"mkdir icds && echo /nowhere/libx.so >icds/x.icd && OCL_ICD_VENDORS=$PWD/icds $T/devices --check 0",
     EXIT_NO_DEVICE, "no OpenCL platform", "icds/x.icd names /nowhere/libx.so, which is not there"},
    {"$T/retrieve --help", EXIT_OK, NULL, "--gallery"},
    {"$T/retrieve --gallery photos --model model 'a dog'", EXIT_OK, NULL, "  photos/"},
    {"$T/retrieve --gallery photos --model model --image photos/a.jpg -k 1", EXIT_OK, NULL, "1.000  photos/a.jpg\n"},
    {"$T/retrieve --gallery photos --model model --json 'a dog' -k 1", EXIT_OK, NULL,
     "{\"query\":\"a dog\",\"kind\":\"text\",\"pictures\":[{\"score\":"},
    {"printf 'a dog\\nphotos/b.png\\n' | $T/retrieve --gallery photos --model model -k 1", EXIT_OK, NULL,
     "\n# photos/b.png\n1.000  photos/b.png\n"},
    {"OCLIP_DEVICE_CLASS= $T/retrieve --gallery photos --model model --device cpu --precision bf16 'a dog'", EXIT_OK,
     NULL, "  photos/"},
    {"$T/retrieve --model model --captions words.txt --image photos/a.jpg", EXIT_OK, NULL, "  first words\n"},
    {"$T/retrieve --gallery photos --model model --html page.html '<b>&' && cat page.html", EXIT_OK, NULL,
     "<h2>&lt;b&gt;&amp;</h2>"},
    {"cat page.html", EXIT_OK, NULL, "src=\"data:image/jpeg;base64,/9j/"},
    {"$T/retrieve --gallery photos --model model --json photos/a.jpg + photos/a.jpg -k 1", EXIT_OK, NULL,
     "\"kind\":\"mixed\",\"pictures\":[{\"score\":"},
    {"$T/retrieve --gallery photos --model model --json '2:a dog - a cat + ./photos/b.png'", EXIT_OK, NULL,
     "\"kind\":\"mixed\""},
    {"$T/retrieve --gallery photos --model model --zeros --image photos/a.jpg -k 1 | tr '\\0' '!'", EXIT_OK, NULL,
     "photos/a.jpg!"},
    {"$T/retrieve --gallery photos --model model -0 --min-score 2 x", EXIT_OK, NULL, NULL},
    {"$T/retrieve --gallery photos --model model --path '*.png' -0 x", EXIT_OK, NULL, "photos/b.png"},
    {"$T/retrieve --gallery photos --model model --before 1990 x", EXIT_OK, NULL, NULL},
    {"$T/retrieve --gallery photos --model model --image photos/a.jpg -k 1 --like 1", EXIT_OK, NULL,
     "# photos/a.jpg\n1.000  photos/a.jpg\n\n# photos/a.jpg\n"},
    {"printf 'photos/b.png\\nlike 1\\n' | $T/retrieve --gallery photos --model model -k 1", EXIT_OK, NULL,
     "\n# photos/b.png\n0."},
    {"printf '\"x\"\\n{\"query\":\"y\",\"id\":[7]}\\n' > q.jsonl; $T/retrieve --gallery photos --model model --json "
     "--queries q.jsonl",
     EXIT_OK, NULL, "\"id\":[7]}\n"},
    {"mkdir twice && cp photos/* twice && cp photos/a.jpg twice/c.jpg && $T/retrieve dedupe --gallery twice --model "
     "model",
     EXIT_OK, NULL, "twice/a.jpg\ncopy  "},
    {"$T/retrieve dedupe --gallery twice --model model --json", EXIT_OK, NULL,
     "{\"best\":\"twice/a.jpg\",\"copies\":[\"twice/c.jpg\"],\"near\":[]}\n"},
    {"$T/retrieve --gallery twice --model model --image photos/a.jpg -k 1", EXIT_OK, NULL,
     "1.000  twice/a.jpg  (+1 alike)\n"},
    {"$T/retrieve --gallery twice --model model --unfold --image photos/a.jpg -k 2", EXIT_OK, NULL,
     "1.000  twice/c.jpg\n"},
    {"printf '#!/bin/sh\\necho $1 > opened' > xdg-open && chmod +x xdg-open && PATH=.:$PATH $T/retrieve --gallery "
     "photos "
     "--model model -k 1 --open --image photos/b.png > /dev/null && sleep 0.3 && cat opened",
     EXIT_OK, NULL, "photos/b.png\n"},
    {"$T/embed --model model --texts words.txt --out x.npy && tail -c +11 x.npy | head -c 60", EXIT_OK, NULL,
     "(2, 24)"},
    {"$T/classify --model model --classes words.txt photos -k 1", EXIT_OK, NULL, "# photos/a.jpg\n0."},
    {"$T/classify --model model --classes words.txt --json photos/a.jpg", EXIT_OK, NULL, "\"probability\":0."},
    {"$T/evaluate --model model --data table.csv --image-root photos --json", EXIT_OK, NULL,
     "\"image_retrieval_recall@5\":1.0"},
    {"$T/evaluate --model model --labels labels.csv --classes words.txt", EXIT_OK, NULL, "mean_per_class_recall"},
    {"$T/evaluate --model model --labels labels.csv --classes words.txt --json | sed 's/:[01][.][0-9]*/:N/g'", EXIT_OK,
     NULL, "\"task\":\"zeroshot_classification\",\"metrics\":{\"acc1\":N,\"acc5\":null,\"mean_per_class_recall\":N}}"},

    /* a photo with orientation 6, and what it shows as its second row */
    {"$T/embed --exif-orientation --model model --images turned.txt --out x.npy && tail -c 96 x.npy >upright && "
     "tail -c 192 x.npy | head -c 96 | cmp - upright",
     EXIT_OK, NULL, NULL},
    {"$T/embed --model model --images turned.txt --out x.npy && tail -c 192 x.npy | head -c 96 | cmp -s - upright",
     EXIT_FAILED, NULL, NULL},
    {"$T/retrieve --exif-orientation --gallery turned --model model --image turned/turned.jpg", EXIT_OK, NULL,
     "1.000  turned/upright.png"},

    /* wrong words */
    {"$T/retrieve --galery photos x", EXIT_USAGE, "did you mean --gallery?", NULL},
    {"$T/retrieve --model model x", EXIT_USAGE, "--gallery DIR", NULL},
    {"$T/retrieve --gallery photos --model model --top 0 x", EXIT_USAGE, "--top 0", NULL},
    {"$T/retrieve --gallery photos --model model --min-score high x", EXIT_USAGE, "--min-score 'high'", NULL},
    {"$T/retrieve --gallery photos --model model --after may x", EXIT_USAGE, "--after 'may'", NULL},
    {"$T/retrieve --gallery photos --model model --orientation flat x", EXIT_USAGE, "landscape|portrait|square", NULL},
    {"$T/retrieve --gallery photos --model model 'a + '", EXIT_USAGE, "a term is missing", NULL},
    {"$T/retrieve --gallery photos --model model --json -0 x", EXIT_USAGE, "one form of output", NULL},
    {"$T/retrieve --gallery photos --model model --like 3", EXIT_USAGE, "like 3", NULL},
    {"$T/retrieve dedupe --model model", EXIT_USAGE, "--gallery DIR", NULL},
    {"$T/retrieve --captions words.txt --model model x", EXIT_USAGE, "\"x\"", NULL},
    {"$T/retrieve --gallery photos --model model --batch-size -1 x", EXIT_USAGE, "--batch-size -1", NULL},
    {"$T/embed --model model --out x.npy", EXIT_USAGE, "--images", NULL},
    {"$T/embed --model model --texts words.txt", EXIT_USAGE, "--out", NULL},
    {"$T/embed --model nothing --texts words.txt --out nowhere/x.npy", EXIT_BAD_DATA, "nowhere/x.npy",
     NULL}, /* at once */
    {"$T/embed --model nothing --texts words.txt --out photos", EXIT_FAILED, "photos: is a folder", NULL},
    {"$T/bench peak --profile nowhere/x.json", EXIT_BAD_DATA, "nowhere/x.json", NULL},
    {"$T/classify --model model photos", EXIT_USAGE, "--classes", NULL},
    {"$T/classify --model model --classes words.txt", EXIT_USAGE, "pictures", NULL},
    {"$T/evaluate --model model", EXIT_USAGE, "--data", NULL},
    {"$T/evaluate --model model --labels labels.csv", EXIT_USAGE, "--classes", NULL},

    /* wrong devices and models */
    {"OCL_ICD_VENDORS=/nonexistent $T/devices", EXIT_NO_DEVICE, "no OpenCL platform", NULL},
    {"OCL_ICD_VENDORS=/nonexistent $T/retrieve --gallery photos --model model x", EXIT_NO_DEVICE, "driver", NULL},
    {"$T/retrieve --gallery photos --model model --device 99 x", EXIT_NO_DEVICE, "--device 99", NULL},
    {"$T/retrieve --gallery photos x", EXIT_BAD_DATA, "no trained model found", NULL},
    {"$T/retrieve --gallery photos --model nowhere x", EXIT_BAD_DATA, "nowhere/config.json", NULL},
    {"$T/retrieve --gallery photos --model cut x", EXIT_BAD_DATA, "cut/model.safetensors", NULL},
    {"$T/retrieve --gallery photos --model words.txt x", EXIT_BAD_DATA, "words.txt: is a file", NULL},
    {"cp model/model.safetensors w.pt && $T/retrieve --gallery photos --model w.pt x", EXIT_BAD_DATA,
     "torch.load('w.pt', map_location='cpu', weights_only=True)", NULL},
    {"cp -r model old && mv old/model.safetensors old/pytorch_model.bin && $T/embed --model old --texts words.txt "
     "--out x",
     EXIT_BAD_DATA, "old/pytorch_model.bin: a PyTorch pickle", NULL},
    {"cp -r model long && printf '\\0\\0\\0\\0\\0\\0\\0\\1{}' > long/model.safetensors && $T/embed --model long "
     "--texts "
     "words.txt --out x",
     EXIT_BAD_DATA, "long/model.safetensors: the header is longer than the file or 100 MB", NULL},
    {"cp -r model torn && LC_ALL=C sed -i 's/\"data_offsets\":\\[0,/\"data_offsets\":[4,/' torn/model.safetensors && "
     "$T/embed --model torn --texts words.txt --out x",
     EXIT_BAD_DATA, "torn/model.safetensors: tensor '", NULL},
    {"cp -r model deep && sed -i 's/num_hidden_layers\": [0-9]*/num_hidden_layers\": 9/' deep/config.json && $T/embed "
     "--model deep --texts words.txt --out x",
     EXIT_BAD_DATA, "is missing (dinov2 layout); is this the file its config.json says?", NULL},
    {"cp -r model flat && sed -i 's/num_hidden_layers\": [0-9]*/num_hidden_layers\": 1/' flat/config.json && $T/embed "
     "--model flat --texts words.txt --out x",
     EXIT_BAD_DATA, "flat/model.safetensors: tensor ", NULL},
    {"cp -r model wide && sed -i 's/hidden_size\": [0-9]*/hidden_size\": 256/' wide/config.json && $T/embed --model "
     "wide "
     "--texts words.txt --out x",
     EXIT_BAD_DATA, "but its config.json asks for", NULL},
    {"cp -r model vast && sed -i 's/hidden_size\": [0-9]*/hidden_size\": 2147483647/' vast/config.json && $T/embed "
     "--model vast --texts words.txt --out x",
     EXIT_BAD_DATA, "\"hidden_size\" must be a whole number", NULL},
    {"cp -r model odd && seq 9 >> odd/vocab.txt && $T/embed --model odd --texts words.txt --out x", EXIT_BAD_DATA,
     "but the tokenizer beside it gives ids up to", NULL},

    /* wrong data */
    {"$T/retrieve --gallery nowhere --model model x", EXIT_BAD_DATA, "nowhere: no such folder", NULL},
    {"$T/retrieve --gallery words.txt --model model x", EXIT_BAD_DATA, "words.txt: is a file", NULL},
    {"$T/retrieve --gallery empty --model model x", EXIT_BAD_DATA, "no pictures in empty", NULL},
    {"$T/retrieve --gallery broken --model model x", EXIT_OK, "broken/bad.jpg", "broken/a.jpg"},
    {"$T/retrieve --gallery broken --model model x", EXIT_OK, NULL, "broken/a.jpg"}, /* said once */
    {"$T/retrieve --gallery photos --model model --index words.txt x", EXIT_BAD_DATA, "words.txt: the index is damaged",
     NULL},
    {"$T/retrieve --gallery photos --model model --image broken/bad.jpg", EXIT_BAD_DATA, "broken/bad.jpg", NULL},
    {"echo P6 99999 99999 255 > vast.ppm && $T/retrieve --gallery photos --model model --image vast.ppm", EXIT_BAD_DATA,
     "vast.ppm: 99999 x 99999 is more than the 200000000 pixels", NULL},
    {"$T/retrieve --gallery photos --model model 'a dog - a dog'", EXIT_BAD_DATA, "cancel out", NULL},
    {"$T/retrieve --gallery photos --model model ./none.jpg", EXIT_BAD_DATA, "./none.jpg: no such picture", NULL},
    {"$T/retrieve --gallery photos --model model --queries words.txt", EXIT_BAD_DATA, "words.txt:1: no JSON", NULL},
    {"$T/retrieve --gallery photos --model model --index nowhere/x.sqlite x", EXIT_FAILED, "nowhere/x.sqlite", NULL},
    {"$T/retrieve --gallery photos --model model --html nowhere/x.html x", EXIT_BAD_DATA, "nowhere/x.html", NULL},
    {"$T/embed --model model --images broken --out x.npy", EXIT_BAD_DATA, "broken/bad.jpg", NULL},
    {"$T/embed --model model --texts nowhere.txt --out x.npy", EXIT_BAD_DATA, "nowhere.txt", NULL},
    {"$T/classify --model model --classes words.txt --templates holes.txt photos", EXIT_BAD_DATA, "holes.txt:2", NULL},
    {"$T/classify --model model --classes words.txt photos/none.jpg", EXIT_BAD_DATA, "photos/none.jpg", NULL},
    {"$T/evaluate --model model --data table.csv", EXIT_BAD_DATA, "give --image-root", NULL},
    {"$T/evaluate --model model --data nowhere.csv", EXIT_BAD_DATA, "nowhere.csv", NULL},
    {"$T/evaluate --model model --labels labels.csv --classes table.csv", EXIT_BAD_DATA, "\"first words\"", NULL},

    /* conversions */
    {"$T/convert --model model --out x", EXIT_USAGE, "--to hf", NULL},
    {"$T/convert --model model --to dual-encoder --out model", EXIT_USAGE, "that is the model itself", NULL},
    {"$T/convert --model model --to open_clip --out x", EXIT_USAGE, "cannot be written as \"open_clip\"", NULL},
    {"$T/convert --model model --to dual-encoder --dtype fp16 --out halves", EXIT_OK, "poolers", NULL},
    {"$T/retrieve --gallery photos --model halves x", EXIT_OK, NULL, "photos/"},
    {"HF_HUB_CACHE=hub $T/convert --model hf:no/such --to hf --out x", EXIT_BAD_DATA, "hf download no/such", NULL},
    {"$T/convert --model hf:../such --to hf --out x", EXIT_USAGE, "hf:org/name", NULL},
    {"mkdir -p hub/models--an--org/refs hub/models--an--org/snapshots && printf abc > hub/models--an--org/refs/main && "
     "cp -r model hub/models--an--org/snapshots/abc && HF_HUB_CACHE=hub $T/retrieve --gallery photos --model hf:an/org "
     "x",
     EXIT_OK, NULL, "photos/"},
};

/* ---- the folder ---- */

static void make_model(const char *folder)
{
    struct device *dev;
    struct clip *clip = NULL;
    struct error err;
    char *tokenizer = mem_format("%s/goldens/minilm-tokenizer", getenv("OCLIP_TEST_DATA"));
    struct clip_recipe recipe = {.tiny = true, .text_folder = tokenizer, .head = HEAD_LINEAR, .embed_dim = 24};
    if (device_open(&dev, "auto", &err) != 0 || clip_create(&clip, dev, &recipe, 0, &err) != 0 ||
        clip_save(clip, folder, &err) != 0)
        fail_msg("%s", err.text);
    clip_close(clip);
    device_close(dev);
    free(tokenizer);
}

static void put_text(const char *name, const char *text)
{
    free(scratch_file(".", name, text, strlen(text)));
}

static int prepare(void **state)
{
    char *folder = scratch_new();
    *state = folder;
    char *tools = mem_format("%s/tools", getenv("OCLIP_BUILD"));
    /* two levels down, since programs also look for models in ../runs */
    if (chdir(folder) != 0 || mkdir("here", 0700) != 0 || chdir("here") != 0 || setenv("T", tools, 1) != 0 ||
        setenv("OCLIP_QUIET", "1", 1) != 0 || setenv("OCLIP_MIN_SCORE", "none", 1) != 0)
        return -1;
    free(tools);
    make_model("model");
    put_text("words.txt", "first words\nsecond words\n");
    put_text("holes.txt", "a photo of {}\na photo of\n");
    put_text("table.csv", "image,caption\na.jpg,a big picture\nb.png,a small picture\n");
    put_text("turned.txt", "turned/turned.jpg\nturned/upright.png\n");
    put_text("labels.csv", "image,class\nphotos/a.jpg,first words\nphotos/b.png,second words\n");
    return system(
        "D=$OCLIP_TEST_DATA/goldens/images; mkdir photos broken empty turned && cp $D/wide.jpg photos/a.jpg && "
        "cp $D/plain.png photos/b.png && cp $D/turned.jpg $D/upright.png turned && cp photos/a.jpg broken/ && echo no "
        "picture > broken/bad.jpg && "
        "cp -r model cut && head -c 100000 model/model.safetensors > cut/model.safetensors");
}

static int remove_folder(void **state)
{
    int result = chdir("/");
    scratch_free(*state);
    return result;
}

/* ---- calls ---- */

static char *read_whole(const char *path)
{
    char *text;
    struct error err;
    if (file_read(&text, NULL, path, 64 << 20, &err) != 0)
        fail_msg("%s", err.text);
    return text;
}

/* A message is one line; indented ones below it may list what there is to choose from. */
static size_t count_messages(const char *text)
{
    size_t count = 0;
    for (const char *line = text; *line; line = strchrnul(line, '\n') + 1) {
        count += line[0] != ' ';
        if (!strchr(line, '\n'))
            break;
    }
    return count;
}

static void check_call(const struct call *call)
{
    char *command = mem_format("(%s) > stdout 2> stderr < /dev/null", call->command);
    int status = system(command);
    char *out = read_whole("stdout"), *said = read_whole("stderr");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != call->exit)
        fail_msg("%s: status %#x instead of exit code %d; %s", call->command, (unsigned)status, call->exit, said);
    if (count_messages(said) != (call->says ? 1 : 0) || (call->says && !strstr(said, call->says)))
        fail_msg("%s: says '%s' instead of one line with '%s'", call->command, said, call->says ? call->says : "");
    if (call->prints ? !strstr(out, call->prints) : *out)
        fail_msg("%s: prints '%s' instead of '%s'", call->command, out, call->prints ? call->prints : "");
    free(command);
    free(out);
    free(said);
}

static void calls_answer_as_promised(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        check_call(&calls[i]);
}

/* Where libchafa was not there, asking for pictures is an error that says so. */
static void pictures_are_drawn_when_asked_for(void **state)
{
    (void)state;
    struct call call = {"TERM=xterm-256color $T/retrieve --gallery photos --model model --pictures always -k 1 x",
                        EXIT_OK, NULL, "\x1B["};
    if (!draw_is_built_in())
        call = (struct call){call.command, EXIT_USAGE, "libchafa", NULL};
    check_call(&call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_answer_as_promised),
                                       cmocka_unit_test(pictures_are_drawn_when_asked_for)};
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
