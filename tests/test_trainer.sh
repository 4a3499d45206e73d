# The trainer as people run it: it learns, goes on where it was stopped, and answers bad input with one clear line.
. "${OCLIP_TEST_DATA:-tests}/script.sh"
photos=$data/sample/images towers=$data/goldens/towers

# refuses CODE NAME TEXT ARGUMENTS...: ends with CODE and one message, which has TEXT
refuses() {
    wanted=$1 name=$2 text=$3
    shift 3
    run "$wanted" "$name" --quiet "$@"
    says "$text"
    [ "$(grep -c '^oclip: ' "$scratch/$name.err")" = 1 ] || complain "$name: not one message: $(cat "$scratch/$name.err")"
}

# ---- it learns: 32 photos, each with a caption that no other has ----

awk -F, 'NR == 1 { print; next }
    !photo[$1] && !caption[substr($0, length($1) + 2)]++ { photo[$1] = 1; print; if (++count == 32) exit }' \
    "$data/sample/captions.csv" >"$scratch/pairs.csv"

tiny="--model tiny --image-root $photos"
run 0 overfit $tiny --train-data "$scratch/pairs.csv" --val-data "$scratch/pairs.csv" \
    --batch-size 32 --epochs 100 --lr 5e-4 --warmup 20 --wd 0 --dropout 0
last=$(tail -n 1 "$scratch/overfit/results.jsonl")
for recall in text_retrieval_recall@1 image_retrieval_recall@1; do
    echo "$last" | grep -qF "\"$recall\":1.0," || complain "overfit: $last"
done

# ---- SigLIP's loss: its bias is trained and saved; a model without one cannot have it ----

few="--image-root $photos --train-data $scratch/pairs.csv --val-data $scratch/pairs.csv --batch-size 16 --epochs 1"
run 0 sigmoid $few --model tiny --loss siglip
grep -q '"oclip_logit_bias": true' "$scratch/sigmoid/model/config.json" || complain "sigmoid: no bias was saved"
run 0 sigmoid-again $few --model "$scratch/sigmoid/model"
refuses 2 no-bias "has no logit bias" $few --model "$scratch/overfit/model" --loss siglip

# ---- a step over parts of a batch has the loss of the whole; what a loss cannot be is refused ----

run 0 in-parts $few --model tiny --dropout 0 --log-every-n-steps 1 --batch-size 4 --accum-freq 4
run 0 at-once $few --model tiny --dropout 0 --log-every-n-steps 1
for name in in-parts at-once; do
    grep -o 'loss [0-9.]*' "$scratch/$name/out.log" | cut -c 1-10 >"$scratch/$name.losses" # "loss " and 3 decimals
done
[ -s "$scratch/at-once.losses" ] || complain "at-once: no losses in out.log"
same in-parts.losses at-once.losses

# ---- a teacher changes what is learnt; what excludes it is said ----

pairs="$few --model tiny --dropout 0 --batch-size 8 --accum-freq 2"
run 0 untaught $pairs
run 0 taught $pairs --distill-model "$scratch/overfit/model"
cmp -s "$scratch/taught/model/model.safetensors" "$scratch/untaught/model/model.safetensors" &&
    complain "taught: the teacher changed nothing"
refuses 2 no-weight "--distill-weight: 0" $few --model tiny --distill-model "$scratch/overfit/model" --distill-weight 0
refuses 2 no-teacher "excludes --lock-image" $few --model tiny --distill-model "$scratch/overfit/model" --lock-image

# ---- a loss that is not finite: its steps are left out and counted, and ten in a row end the run ----

refuses 1 lost "not finite in each of the last" $few --model tiny --epochs 40 --lr 1e30 --save-frequency 50
says "lower --lr"
grep -qx 'warmup: 8' "$scratch/lost/params.txt" || complain "lost: from scratch a tenth of its 80 steps is no warm-up"
grep -q "steps up to [0-9]* skipped: their loss or its gradients were not finite" "$scratch/lost/out.log" ||
    complain "lost: out.log has no skipped steps"
[ ! -e "$scratch/lost/model" ] || complain "lost: left a model"
run 0 before-lost $few --model tiny --lr-scheduler const
refuses 1 before-lost "not finite in each of the last" $few --model tiny --lr-scheduler const --epochs 40 --lr 1e30 \
    --save-frequency 50 --resume "$scratch/before-lost"
run 0 before-lost $few --model tiny --lr-scheduler const --epochs 2 --resume "$scratch/before-lost"
says "resumed at epoch 2"
grep -q '"skipped_steps":0' "$scratch/before-lost/results.jsonl" || complain "before-lost: no count of skipped steps"

# ---- how photos are turned is saved with the model ----

run 0 upright $few --model tiny --exif-orientation
grep -q '"exif_orientation": true' "$scratch/upright/model/preprocessor_config.json" || complain "upright: not saved"

# ---- it goes on where it was stopped, to the same bits ----

long="$tiny --train-data $data/sample/captions.csv --batch-size 16 --epochs 3 --save-frequency 1"
run 0 whole $long

# stop SIGNAL NAME: starts a run, and sends it the signal as its second epoch begins
stop() {
    code=0 name=$2
    "$trainer" --out "$scratch" --name "$name" $long 2>"$scratch/$name.err" &
    while kill -0 $! && ! ls "$scratch/$name/checkpoints" 2>&1 | grep -q '^step-[0-9]*$'; do sleep 0.02; done
    kill -s "$1" $! || true
    wait $! || code=$?
}

# resume NAME: to the end
resume() {
    run 0 "$1" $long --resume "$scratch/$1"
    says "resumed at epoch 2"
    same_model whole "$1"
    same whole/best/model.safetensors "$1/best/model.safetensors"
}

stop KILL killed
[ "$code" = 137 ] || complain "SIGKILL: exit code $code; was the run over too soon for this test?"
resume killed

stop TERM asked
[ "$code" = 75 ] || complain "SIGTERM: exit code $code, not 75"
says "go on with --resume $scratch/asked"

# Asked over and over while drivers compile: a compiler that saw a signal would end half-way (LLVM's do).
code=0 name=compiling
export POCL_CACHE_DIR="$scratch/cold"
"$trainer" --out "$scratch" --name compiling $few --model tiny --epochs 1000000 2>"$scratch/compiling.err" &
asked=$!
while kill -0 $asked && ! grep -qs "photos to train on" "$scratch/compiling.err"; do sleep 0.02; done
(sleep 0.3; while kill -s TERM $asked 2>&-; do sleep 0.02; done) &
wait $asked || code=$?
[ "$code" = 75 ] || complain "SIGTERM while compiling: exit code $code, not 75: $(cat "$scratch/compiling.err")"
run 0 compiling $few --model tiny --epochs 1 --resume "$scratch/compiling"
says "resumed at epoch"
unset POCL_CACHE_DIR

# A full disk leaves the last checkpoint and the last model as they were.
cp -r "$scratch/asked" "$scratch/before"
printf 'trap "" XFSZ; ulimit -f 4096; exec "$@"\n' >"$scratch/full_disk" # files of a few MB at most
under="sh $scratch/full_disk"
refuses 1 asked "arena.safetensors" $long --resume "$scratch/asked"
under=
same_model before asked
[ "$(cd "$scratch/before" && find . -name "*tfevents*" -o -print | sort)" = "$(cd "$scratch/asked" && find . -name "*tfevents*" -o -print | sort)" ] ||
    complain "full disk: something half-written remains: $(find "$scratch/asked")"
resume asked

# In half precision the loss's factor is part of that; the first steps halve it.
half="$few --model tiny --precision fp16 --lr-scheduler const"
run 0 half $half --epochs 3
run 0 half-stopped $half --epochs 1
run 0 half-stopped $half --epochs 3 --resume "$scratch/half-stopped"
says "resumed at epoch 2"
same_model half half-stopped
same half/checkpoints/step-00000006/arena.safetensors half-stopped/checkpoints/step-00000006/arena.safetensors
grep -q loss_scale "$scratch/half/checkpoints/step-00000006/arena.safetensors" || complain "half: no loss scale was saved"

# So are an average of the weights, which is the model then, and layers that stay as they are.
average="$few --model tiny --lr-scheduler const --lock-text --lock-text-unlocked-layers 1 --layer-decay-image 0.7"
run 0 weights $average --epochs 3
average="$average --ema-decay 0.8"
run 0 average $average --epochs 3
grep -qx 'lock_text: on' "$scratch/average/params.txt" || complain "average: params.txt does not say what was locked"
run 0 average-stopped $average --epochs 1
run 0 average-stopped $average --epochs 3 --resume "$scratch/average-stopped"
same_model average average-stopped
same average/best/model.safetensors average-stopped/best/model.safetensors
same average/checkpoints/step-00000006/arena.safetensors average-stopped/checkpoints/step-00000006/arena.safetensors
if cmp -s "$scratch/weights/model/model.safetensors" "$scratch/average/model/model.safetensors"; then
    complain "average: the model is of the weights themselves"
fi

# ---- photos and captions that are not as they should be ----

short="--batch-size 8 --epochs 1 --val-split 0"
awk -F, -v OFS=, 'NR == 5 { $1 = "none.jpg" } NR == 12 { $1 = "gone.jpg" } { print }' "$scratch/pairs.csv" \
    >"$scratch/missing.csv"
grep -v '^none.jpg\|^gone.jpg' "$scratch/missing.csv" >"$scratch/without.csv"
run 0 missing $tiny $short --train-data "$scratch/missing.csv"
says "$photos/none.jpg: missing"
says "$photos/gone.jpg: missing"
run 0 without $tiny $short --train-data "$scratch/without.csv"
same_model missing without

mkdir "$scratch/images"
cut=$(sed -n '9s/,.*//p' "$scratch/pairs.csv")
for photo in $(sed '1d;s/,.*//' "$scratch/pairs.csv"); do cp "$photos/$photo" "$scratch/images"; done
head -c 2000 "$photos/$cut" >"$scratch/images/$cut"
run 0 cut $tiny $short --train-data "$scratch/pairs.csv" --image-root "$scratch/images"
says "$scratch/images/$cut: broken JPEG"
run 0 locked $tiny $short --lock-image --train-data "$scratch/pairs.csv" --image-root "$scratch/images"
says "$scratch/images/$cut: broken JPEG"
says "31 photos to train on"

cp "$scratch/pairs.csv" "$scratch/long.csv"
awk 'BEGIN { printf "0100.jpg,"; while (count++ < 2000) printf "very long "; print "caption" }' >>"$scratch/long.csv"
run 0 long $tiny $short --train-data "$scratch/long.csv"
says "33 photos to train on"

refuses 6 no_profile "$scratch/nowhere/x.json: cannot create" $few --model tiny --profile "$scratch/nowhere/x.json"
refuses 6 no_table "$scratch/nowhere.csv: cannot open" $tiny --train-data "$scratch/nowhere.csv"
printf 'a,b\n1,2\n' >"$scratch/columns.csv"
refuses 6 no_columns "$scratch/columns.csv: line 1 names no column" $tiny --train-data "$scratch/columns.csv"

# ---- weights that are not as they should be ----

pretrained="--text-model $towers/bert_mean --image-root $photos --train-data $scratch/pairs.csv $short"
run 0 pretrained $pretrained --image-model "$towers/dinov2"
cp -r "$towers/dinov2" "$scratch/tower"
weights=$scratch/tower/model.safetensors
head -c 50000 "$towers/dinov2/model.safetensors" >"$weights"
refuses 6 truncated "$weights: tensor " $pretrained --image-model "$scratch/tower"
sed 's/"shape":\[24\]/"shape":[99]/' "$towers/dinov2/model.safetensors" >"$weights"
refuses 6 lying "$weights: tensor " $pretrained --image-model "$scratch/tower"
head -c 3 "$towers/dinov2/model.safetensors" >"$weights"
refuses 6 stub "$weights: " $pretrained --image-model "$scratch/tower"

# ---- a saved model goes on as it was, on features that are standardised anew ----

locked="--lock-image --lock-text --image-root $photos --train-data $scratch/pairs.csv --val-data $scratch/pairs.csv"
run 0 first $locked --image-model "$towers/dinov2" --text-model "$towers/bert_mean" --batch-size 32 --epochs 10
run 0 second $locked --model "$scratch/first/model" --batch-size 32 --epochs 1 --lr-head 0
awk -v a="$(val_loss first)" -v b="$(val_loss second)" 'BEGIN { exit !(a > 1 && (a - b) ^ 2 < 1e-8) }' ||
    complain "a validation loss of $(val_loss first) became $(val_loss second) once the model was saved and opened"

# ---- updates of low rank: resumed to the same bits, merged into the model, saved apart ----

pair="--image-model $towers/dinov2 --text-model $towers/bert_mean"
lora="--lora-rank 2 --lora-alpha 4 --lora-targets qkv,fc2 --lr 5e-3 --lr-scheduler const --ema-decay 0.5"
run 0 lora $few $pair $lora --epochs 2
run 0 lora-stopped $few $pair $lora --epochs 1
run 0 lora-stopped $few $pair $lora --epochs 2 --resume "$scratch/lora-stopped"
for file in model.safetensors lora/adapter_config.json lora/adapter_model.safetensors; do same "lora/model/$file" "lora-stopped/model/$file"; done
run 0 merged $few --model "$scratch/lora/model" --lr 0
awk -v a="$(val_loss lora)" -v b="$(val_loss merged)" 'BEGIN { exit !(a > 1 && (a - b) ^ 2 < 1e-8) }' ||
    complain "lora: a validation loss of $(val_loss lora) became $(val_loss merged) once the updates were merged"
grep -q base_model.model.text_model.encoder.layer.0.output.dense.lora_B.weight "$scratch/lora/model/lora/adapter_model.safetensors" ||
    complain "lora: no update"
refuses 2 no-transformer "only transformers take LoRA" $few --text-model "$towers/bert_mean" --lora-rank 2 \
    --image-model "$data/goldens/resnets/basic"

# ---- devices and folders (options: test_settings.sh) ----

plain="$tiny --train-data $scratch/pairs.csv"
refuses 2 option "did you mean --name" $plain --nmae x
refuses 3 device "no device matches --device 99" $plain --device 99
says "device 0 (0:0)"
under="env OCL_ICD_VENDORS=/nonexistent"
refuses 3 driver "no OpenCL platform found" $plain
under=
refuses 6 no-run "--resume $scratch/no-run: no such folder of a run" $plain --resume "$scratch/no-run"
refuses 1 folder "$scratch/pairs.csv: cannot make folder" $plain --out "$scratch/pairs.csv"
exit $failed
