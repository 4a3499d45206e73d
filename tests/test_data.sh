# The trainer on every form of data: the same photos and captions give the same model, whatever they are kept in; shards
# are streamed and gone on with; augmentation depends on the seed; what is broken is named and left out.
. "${OCLIP_TEST_DATA:-tests}/script.sh"
usual="--model tiny --batch-size 8"

# differs A B: the models of two runs
differs() {
    ! cmp -s "$scratch/$1/model/model.safetensors" "$scratch/$2/model/model.safetensors" || complain "$1 is $2"
}

# ---- 24 photos in every form ----

photos=$scratch/photos
mkdir "$photos"
awk -F, 'NR > 1 && !photo[$1]++ { print $1 "\t" substr($0, length($1) + 2); if (++count == 24) exit }' \
    "$data/sample/captions.csv" | LC_ALL=C sort >"$scratch/pairs.txt"
tr -d '"' <"$scratch/pairs.txt" >"$scratch/pairs.tsv"
cut -f 1 "$scratch/pairs.tsv" | while read -r photo; do cp "$data/sample/images/$photo" "$photos"; done

{ printf 'image\tcaption\n' && cat "$scratch/pairs.tsv"; } >"$photos/table.tsv"
awk -F '\t' 'BEGIN { print "{\"images\": [" } { printf "%s{\"id\": %d, \"file_name\": \"%s\"}", (NR > 1 ? ",\n" : ""), NR, $1 }
    { captions = captions sprintf("%s{\"image_id\": %d, \"caption\": \"%s\"}", (NR > 1 ? ",\n" : ""), NR, $2) }
    END { print "],\n\"annotations\": [" captions "]}" }' "$scratch/pairs.tsv" >"$photos/captions.json"
awk -F '\t' 'BEGIN { print "{\"images\": [" }
    { printf "%s{\"filename\": \"%s\", \"split\": \"%s\", \"sentences\": [{\"raw\": \"%s\"}]}", (NR > 1 ? ",\n" : ""), $1,
             NR % 2 ? "train" : "restval", $2 } END { print "]}" }' "$scratch/pairs.tsv" >"$photos/dataset_photos.json"
mkdir "$scratch/folder" "$scratch/shards"
awk -F '\t' -v to="$scratch/folder" '{ stem = $1; sub(/\.[^.]*$/, "", stem); print $2 >(to "/" stem ".txt") }' \
    "$scratch/pairs.tsv"
cp "$photos"/*.jpg "$scratch/folder"
(cd "$scratch/folder" && ls | sed 's/\..*//' | uniq | awk '{ print $1 ".jpg\n" $1 ".txt" >("../shards/" int((NR - 1) / 8) ".list") }')
for shard in 0 1 2; do
    tar -C "$scratch/folder" -cf "$scratch/shards/$shard.tar" -T "$scratch/shards/$shard.list"
done

whole="--val-split 0 --epochs 2"
run 0 table $whole --train-data "$photos/table.tsv"
run 0 coco $whole --train-data "$photos/captions.json"
run 0 karpathy $whole --train-data "$photos/dataset_photos.json" --dataset-type karpathy --split train
run 0 folder $whole --train-data "$scratch/folder"
run 0 shards $whole --train-data "$scratch/shards/{0..1}.tar::$scratch/shards/2.tar"
says "24 photos to train on"
for form in coco karpathy folder shards; do same_model table $form; done
for line in 1 2; do
    sed -n "${line}p" "$scratch/table/results.jsonl" | grep -qE '"data_wait_share":(0|1)\.[0-9e-]+,"bad_samples":0' ||
        complain "no share of time waited in $(cat "$scratch/table/results.jsonl")"
done
tail -n 1 "$scratch/table/out.log" | grep -q 'waited for data [0-9.]* %' || complain "out.log does not say how long it waited"

# tools/evaluate reads the same forms
evaluate() {
    "$build/tools/evaluate" --model "$scratch/table/model" --quiet "$@" >"$scratch/metrics" 2>"$scratch/stderr" ||
        complain "evaluate $*: $(cat "$scratch/stderr")"
    cat "$scratch/metrics"
}
evaluate --data "$photos/table.tsv" >"$scratch/expected"
[ "$(wc -l <"$scratch/expected")" = 6 ] || complain "evaluate printed $(cat "$scratch/expected")"
for form in "$photos/captions.json" "$scratch/folder" "$scratch/shards" "$photos/dataset_photos.json --split train"; do
    evaluate --data $form | cmp - "$scratch/expected" || complain "evaluate measures something else on $form"
done

mkdir -p "$scratch/classes/a_b" "$scratch/classes/c"
cp $(ls "$photos"/*.jpg | head -n 10) "$scratch/classes/a_b"
cp $(ls "$photos"/*.jpg | tail -n 10) "$scratch/classes/c"
run 0 classes --val-split 0.2 --epochs 1 --train-data "$scratch/classes"
says "16 photos to train on, 4 to validate on"
run 0 synthetic --dataset-type synthetic --train-num-samples 30 --epochs 1
says "24 photos to train on, 6 to validate on"

# ---- shards are streamed: the order is that of the seed, and goes on where it was stopped ----

stream="--train-data $scratch/shards --train-num-samples 40 --epochs 2"
run 0 stream $stream --val-data "$photos/table.tsv" --workers 1
says "40 photos to train on, 24 to validate on; 10 steps"
run 0 again $stream --val-data "$photos/table.tsv" --workers 3
same_model stream again
run 0 other $stream --val-data "$photos/table.tsv" --seed 7
differs stream other
run 0 ordered $stream --no-shuffle
differs stream ordered
run 0 weighted --train-data "$scratch/shards/0.tar::$scratch/shards/{1..2}.tar" --train-num-samples 40 --epochs 1 \
    --train-data-upsampling-factors 3::1

# stop NAME ARGUMENTS...: interrupts a run after its first checkpoint
stop() {
    code=0 name=$1
    shift
    "$trainer" --out "$scratch" --name "$name" $usual "$@" 2>"$scratch/$name.err" &
    until grep -q 'step 2' "$scratch/$name/out.log" 2>"$scratch/ignored" || ! kill -0 $!; do sleep 0.05; done
    kill -s TERM $! || true
    wait $! || code=$?
    [ "$code" = 75 ] || complain "$name: exit code $code, not 75: was it over too soon?"
}
long="--train-data $scratch/shards --train-num-samples 600 --epochs 2 --log-every-n-steps 1 --aug-cfg scale=0.5,1.0 hflip=0.5"
run 0 long $long --workers 2
stop stopped $long --workers 1
run 0 stopped $long --resume "$scratch/stopped"
says "resumed at epoch 1"
same_model long stopped

# ---- augmentation: by the seed, whatever the threads; never of what is validated on ----

augmented="--train-data $photos/table.tsv --val-data $photos/table.tsv --epochs 1"
strong="--aug-cfg scale=(0.3,1) color_jitter=0.4,0.4,0.4,0.1 color_jitter_prob=0.8 gray_scale_prob=0.2 hflip=0.5"
run 0 plain $augmented
run 0 strong $augmented --workers 1 $strong
run 0 strong-again $augmented --workers 4 $strong
same_model strong strong-again
differs plain strong
run 0 still $augmented --lr 0 --lr-head 0
run 0 still-strong $augmented --lr 0 --lr-head 0 $strong
[ "$(val_loss still)" = "$(val_loss still-strong)" ] || complain "photos that are validated on were augmented"
run 0 locked $augmented --lock-image $strong
says "--lock-image's features are not cached"
run 2 wrong-key $augmented --aug-cfg blur=1
says "--aug-cfg blur=1: the keys are scale, ratio"

# ---- what is broken is named, counted and left out ----

lines() { wc -l <"$scratch/$1/bad_samples.jsonl"; }
cut=$(sed -n '5s/\t.*//p' "$scratch/pairs.tsv")
head -c 2000 "$photos/$cut" >"$scratch/cut"
mv "$scratch/cut" "$photos/$cut"
printf 'gone.jpg\tA photo that is not there\nlonely.jpg\n' >>"$photos/table.tsv"
run 0 broken $whole --train-data "$photos/table.tsv"
[ "$(lines broken)" = 3 ] || complain "bad_samples.jsonl: $(cat "$scratch/broken/bad_samples.jsonl")"
grep -qF "{\"sample\": \"$photos/gone.jpg\", \"error\": \"missing\"}" "$scratch/broken/bad_samples.jsonl" ||
    complain "the missing photo is not in bad_samples.jsonl: $(cat "$scratch/broken/bad_samples.jsonl")"
grep -qF "{\"sample\": \"$photos/$cut\", \"error\": \"broken JPEG" "$scratch/broken/bad_samples.jsonl" ||
    complain "the broken photo is not in bad_samples.jsonl: $(cat "$scratch/broken/bad_samples.jsonl")"
tail -n 1 "$scratch/broken/results.jsonl" | grep -qF '"bad_samples":3' || complain "results.jsonl does not count them"
run 0 broken-val --train-data "$scratch/folder" --val-data "$photos/table.tsv" --epochs 1
[ "$(lines broken-val)" = 3 ] || complain "bad_samples.jsonl: $(cat "$scratch/broken-val/bad_samples.jsonl")"
run 6 strict $whole --train-data "$photos/table.tsv" --max-bad-samples 0
says "than --max-bad-samples 0 allows"
for photo in $(cut -f 1 "$scratch/pairs.tsv"); do : >"$photos/$photo"; done
run 6 all-broken $whole --train-data "$photos/captions.json" --max-bad-samples 1
says "24 of 24 samples cannot be used"
run 6 all-broken-locked $whole --train-data "$photos/captions.json" --lock-image
says "24 of 24 samples cannot be used"

tar -C "$scratch/folder" -cf "$scratch/shards/split.tar" $(cd "$scratch/folder" && ls ./*.jpg && ls ./*.txt)
run 6 split $stream --train-data "$scratch/shards/split.tar"
says "none of the 1 shards holds a whole sample"
grep -qF "split: its photo is in" "$scratch/split/bad_samples.jsonl" || complain "split samples are not named"
head -c 20000 "$scratch/shards/0.tar" >"$scratch/shards/cut.tar"
run 0 cut-shard --train-data "$scratch/shards/{cut,1,2}.tar" --train-num-samples 40 --epochs 1
grep -qF "cut.tar" "$scratch/cut-shard/bad_samples.jsonl" || complain "the broken shard is not in bad_samples.jsonl"

# ---- options that do not fit ----

run 2 no-number --dataset-type synthetic
says "--train-num-samples N"
run 2 number --train-data "$scratch/folder" --train-num-samples 40
says "--train-num-samples is for webdataset and synthetic data"
run 2 held-out $stream --val-split 0.1
says "nothing is held out of shards that are streamed"
run 2 factors $stream --train-data-upsampling-factors 1::2
says "--train-data-upsampling-factors 1::2: more factors than sources"
run 6 no-shard --train-data "$scratch/shards/{0..3}.tar"
says "3.tar: no such shard"
exit $failed
