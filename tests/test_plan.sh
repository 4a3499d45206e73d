# --dry-run says what a run takes, --max-memory splits its steps so that it takes no more, and neither changes a weight.
. "${OCLIP_TEST_DATA:-tests}/script.sh"
export OCLIP_TUNE=off
usual="--device auto --model tiny --image-root $data/sample/images --train-data $scratch/pairs.csv --batch-size 32 --epochs 2
    --dropout 0"

# megabytes FILE TEXT: the number behind the text
megabytes() {
    sed -n "s/.*$2 \([0-9.]*\) MB.*/\1/p" "$scratch/$1" | tail -n 1
}

# below A B: A < B
below() {
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > 0 && a < b) }'
}

head -n 161 "$data/sample/captions.csv" >"$scratch/pairs.csv"

# ---- a dry run: what it says comes true within 5 %, and nothing is trained ----

run 0 dry --dry-run
run 0 plain
said=$(megabytes dry.out "device memory:") took=$(megabytes plain.err "device memory at most")
awk -v a="$said" -v b="$took" 'BEGIN { exit !(a > 0 && a / b > 0.95 && a / b < 1.05) }' ||
    complain "a dry run said $said MB, the run took $took MB"
grep -q "^steps: $(grep -o '; [0-9]* steps' "$scratch/plain.err" | tr -dc 0-9) of 32 pairs" "$scratch/dry.out" ||
    complain "dry: not the steps of the run: $(cat "$scratch/dry.out")"
grep -q '^time: [0-9]* s, [0-9.]* s a step' "$scratch/dry.out" || complain "dry: no time: $(cat "$scratch/dry.out")"
[ ! -e "$scratch/dry/checkpoints" ] && [ ! -e "$scratch/dry/model" ] || complain "dry: something was saved"

# ---- a limit: the step is split, and the run is the one that the same split gives when asked for ----

limit=$(awk -v a="$took" 'BEGIN { printf "%d", 0.7 * a }')
run 0 dry-limited --max-memory "${limit}M" --dry-run
plan=$(sed -n 's/^plan: //p' "$scratch/dry-limited.out")
case $plan in
"--batch-size 32 --accum-freq 1") complain "limited: the step is as large as before" ;;
esac
run 0 limited --max-memory "${limit}M"
below "$(megabytes limited.err "device memory at most")" "$limit" || complain "limited: took more than $limit MB"
run 0 asked $plan
same_model limited asked
run 0 roomy --max-memory 100G
same_model plain roomy

# ---- too little: what would do, which does ----

run 4 too-little --max-memory 31M
least=$(megabytes too-little.err "the least that would do is")
below 31 "$least" || complain "too-little: $(cat "$scratch/too-little.err")"
run 0 least --max-memory "$(awk -v a="$least" 'BEGIN { printf "%d", a + 1 }')M"

# ---- memory that runs out on the way ----

if [ -e "$build/tests/libshim.so" ]; then
    export OPENCL_LAYERS=$build/tests/libshim.so SHIM=allocation=9000000
    run 4 out --batch-size 128 --every-caption
    grep -q "what would fit: --batch-size [0-9]* --accum-freq " "$scratch/out.err" ||
        complain "out: no plan: $(cat "$scratch/out.err")"
    run 0 fits --every-caption $(sed -n 's/^what would fit: //p' "$scratch/out.err")
fi
exit $failed
