#!/bin/sh
# From a fresh clone to a trained CLIP and a page of search results, build/demo/index.html. One of README.md's two
# commands. Installs the packages that are missing, fetches two small pretrained towers, trains on the sample.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
sample=$root/tests/sample
say() { printf '\n== %s\n' "$*"; }

say "packages"
sh tools/packages.sh build demo

say "build"
cmake -S . -B build -DCMAKE_BUILD_TYPE=Release >build.log 2>&1 && cmake --build build --parallel "$(nproc)" >>build.log 2>&1 ||
    { tail -n 30 build.log; exit 1; }
mv build.log build/build.log
cd build
mkdir -p demo

say "pretrained towers"
[ -x venv/bin/python ] || python3 -m venv venv
if ! venv/bin/python ../tools/fetch_towers.py towers; then
    rm -rf towers
    echo "the pretrained towers cannot be fetched: a small pair is trained from scratch instead"
fi

say "training on the sample"
rm -rf runs/demo
if [ -d towers ]; then lock="--lock-image --lock-text"; else lock=""; fi
./trainer $lock --out runs --name demo
export OCLIP_MODEL=runs/demo/best

say "searching"
classify() { # PHOTO: a card with its picture and the three likeliest classes
    echo "<li><img alt='' src='data:image/jpeg;base64,$(base64 -w0 "$1")'>"
    ./tools/classify --quiet -k 3 --classes "$sample/classes.txt" --templates "$sample/templates.txt" "$1" |
        sed 's/&/\&amp;/g; s/</\&lt;/g; s|^\([0-9.]*\)  \(.*\)|<div class=about><span>\2</span><b>\1</b></div>|'
    echo "</li>"
}
{
    echo "<section><header><h2><span class=kind>Training</span>$(wc -l <runs/demo/results.jsonl) epochs on the photos" \
        "that ship</h2></header>"
    awk -f ../tools/curve.awk runs/demo/results.jsonl
    echo "</section><section><header><h2><span class=kind>Zero-shot</span>Which of nine groceries is it?</h2></header>" \
        "<ul class=grid>"
    for photo in 0002 0008 0217 0004 0203 0197; do
        classify "$sample/images/$photo.jpg"
    done
    echo "</ul></section>"
} >demo/lead.html

tr '\n' '\0' <"$sample/queries.txt" | xargs -0 ./tools/retrieve --gallery "$sample/images" --index demo/index.sqlite \
    -k 6 --min-score none --captions "$sample/captions.csv" --html demo/index.html --html-lead demo/lead.html \
    --image "$sample/images/0007.jpg" "$sample/images/0123.jpg" --

say "done: build/demo/index.html"
tail -n 1 runs/demo/results.jsonl
