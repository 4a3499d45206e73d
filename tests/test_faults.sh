# The programs on a driver with faults (tests/shim/shim.c): limits that are tiny, kernels that do not compile or compute
# nonsense, memory that runs out, a device that is lost. The right result comes more slowly, or one clear message and
# nothing half written; never a wrong result.
. "${OCLIP_TEST_DATA:-tests}/script.sh"

# with FAULTS COMMAND...: runs it on a driver with these faults ("" for none); leaves $code and $scratch/stderr
with() {
    code=0 faults=$1
    shift
    if [ "$faults" ]; then
        OPENCL_LAYERS=$build/tests/libshim.so SHIM=$faults "$@" 2>"$scratch/stderr" || code=$?
    else
        "$@" 2>"$scratch/stderr" || code=$?
    fi
}

# train FAULTS CODE NAME ARGUMENTS...: a small run that should end with CODE
train() {
    wanted=$2 name=$3
    faults=$1
    shift 3
    with "$faults" "$build/trainer" --out "$scratch" --name "$name" --model tiny --image-root "$data/sample/images" \
        --train-data "$scratch/pairs.csv" --batch-size 16 --epochs 3 --save-frequency 1 --log-every-n-steps 1 "$@"
    [ "$code" = "$wanted" ] || complain "$name with $faults: exit code $code, not $wanted: $(cat "$scratch/stderr")"
}

# says TIMES TEXT: the last run printed TEXT so often
says() {
    count=$(grep -cF -- "$2" "$scratch/stderr" || true)
    [ "$count" = "$1" ] || complain "$name with $faults: \"$2\" $count times, not $1, in: $(cat "$scratch/stderr")"
}

# names KERNEL: the last run said that it is not used
names() {
    grep -q "^oclip: .*$1.*on this driver" "$scratch/stderr" || complain "$name with $faults: no word of $1"
}

losses() { sed -n 's/.* loss \([0-9.]*\) .*/\1/p' "$scratch/$1/out.log"; }

# agree A B: two runs' losses, to 1e-5
agree() {
    losses "$1" >"$scratch/a"
    losses "$2" >"$scratch/b"
    paste "$scratch/a" "$scratch/b" |
        awk '{ d = $1 - $2; if (NF != 2 || d > 1e-5 || d < -1e-5) exit 1 } END { if (NR < 3) exit 1 }' ||
        complain "$1 and $2 differ: $(paste "$scratch/a" "$scratch/b" | tr '\n' ';')"
}

# whole NAME: nothing half written remains
whole() {
    partial=$(find "$scratch/$1" -name '*.partial*' -o -name '*.tmp*')
    [ -z "$partial" ] || complain "$1 with $faults: left behind $partial"
}

# counted WORD: how many commands or buffers the last run was seen to ask for
counted() { sed -n "s/^shim:.* \([0-9]*\) $1.*/\1/p" "$scratch/stderr"; }

head -n 41 "$data/sample/captions.csv" >"$scratch/pairs.csv"
with report "$build/tools/devices" >"$scratch/stdout"
if ! grep -q '^shim:' "$scratch/stderr"; then
    echo "this OpenCL loader knows no layers"
    exit 77
fi

# ---- tiny limits: the same kernels, the same bits ----

tiny=work_group=64,local_memory=16384,allocation=134217728,no_sub_groups,no_images
for class in cpu gpu; do
    export OCLIP_DEVICE_CLASS=$class
    train "" 0 "$class"
    train $tiny 0 "$class-tiny"
    same_model "$class" "$class-tiny"
    agree "$class" "$class-tiny"
done
agree cpu gpu

# A work-group smaller than kernels are written for, and too little local memory for CLBlast.
OCLIP_CACHE="$scratch/none" train work_group=16,local_memory=512 0 smallest
names clblast
agree gpu smallest

# ---- kernels that do not compile ----

export OCLIP_DEVICE_CLASS=cpu
export OCLIP_CACHE="$scratch/cache-refused"
train refuse=attention_forward/LANES=16 0 refused-attention
says 1 "a slower kernel is used"
says 1 "cannot build cl/attention.cl"
agree cpu refused-attention
OCLIP_CACHE="$scratch/cache-norm" train refuse=layernorm_forward 1 refused-norm
says 1 "cannot build cl/layernorm.cl"
grep -q "error: " "$scratch/stderr" || complain "refused-norm: no build log in: $(cat "$scratch/stderr")"
[ ! -e "$scratch/refused-norm/model" ] || complain "a model was written without layer norms"

# ---- kernels that compute nonsense: named once on the first of two runs ----

for spoilt in attention_forward attention_backward_queries attention_backward_keys; do
    export OCLIP_CACHE="$scratch/cache-$spoilt"
    mkdir "$OCLIP_CACHE"
    cp "$scratch/cache/tuning.txt" "$OCLIP_CACHE"
    train spoil=$spoilt/LANES=16 0 $spoilt
    says 1 "gives wrong results on this driver"
    agree cpu $spoilt
    train spoil=$spoilt/LANES=16 0 $spoilt-again
    says 0 "gives wrong results"
    same_model $spoilt $spoilt-again
done

# ---- a device that is lost: what was saved goes on to the same bits ----

export OCLIP_CACHE="$scratch/cache"
train report 0 counted
same_model cpu counted
commands=$(counted commands)
for loss in lost-2 lost-50 exhausted-60 lost-95; do
    fault=${loss%-*} percent=${loss#*-}
    train $fault=$((commands * percent / 100)) 5 $loss
    says 1 "the device was lost"
    whole $loss
    ! grep -q 'loss 0\.000000' "$scratch/$loss/out.log" || complain "$loss: logs a loss of nothing"
    train "" 0 $loss --resume latest
    same_model cpu $loss
done
says 1 "resumed at epoch"

# ---- memory that runs out ----

train report 0 counted
for number in $(seq "$(counted buffers)"); do
    train memory=$number 4 memory-$number
    says 1 "a smaller --batch-size needs less memory, as does --grad-checkpointing"
    whole memory-$number
    [ ! -e "$scratch/memory-$number/model" ] || complain "memory-$number: left a model"
done
train allocation=1000000 4 large
says 1 "of which the device gives 1.0 MB at most at once"

# ---- the tools: no results but right ones ----

mkdir "$scratch/photos"
for photo in $(sed -n '2,9s/,.*//p' "$scratch/pairs.csv" | sort -u); do
    cp "$data/sample/images/$photo" "$scratch/photos"
done
printf 'apples\na shoe\n' >"$scratch/words"
model="--model $scratch/cpu/model --quiet"

# tool NAME ARGUMENTS...: as it should be, until caches and choices are made (a third run finds all); then with the
# device lost
tool() {
    name=$1
    shift
    for percent in 0 0 0 50 90; do
        rm -f "$scratch/index.db" "$scratch/x.npy"
        faults=report
        [ $percent = 0 ] || faults=lost=$((commands * percent / 100))
        with $faults "$build/tools/$name" $model "$@" >"$scratch/stdout"
        if [ $percent = 0 ]; then
            [ $code = 0 ] || complain "$name: exit code $code: $(cat "$scratch/stderr")"
            commands=$(counted commands)
            continue
        fi
        [ $code = 5 ] || complain "$name with $faults: exit code $code, not 5: $(cat "$scratch/stderr")"
        says 1 "the device was lost"
        [ ! -s "$scratch/stdout" ] || complain "$name with $faults: prints $(cat "$scratch/stdout")"
        [ ! -e "$scratch/x.npy" ] || complain "$name with $faults: writes a file"
    done
}
# What CLBlast multiplies, where the kernels of our own are refused or wrong, looks the same.
"$build/tools/classify" $model --classes "$scratch/words" "$scratch/photos" >"$scratch/classified"
for fault in refuse spoil; do
    OCLIP_CACHE="$scratch/cache-$fault" with $fault=gemm_tile \
        "$build/tools/classify" $model --classes "$scratch/words" "$scratch/photos" >"$scratch/stdout"
    name=classify
    names tile
    cmp "$scratch/classified" "$scratch/stdout" || complain "classify with $faults: $(cat "$scratch/stdout")"
done

tool retrieve --gallery "$scratch/photos" --index "$scratch/index.db" apples
tool embed --images "$scratch/photos" --out "$scratch/x.npy"
tool embed --texts "$scratch/words" --out "$scratch/x.npy"
tool classify --classes "$scratch/words" "$scratch/photos"
tool evaluate --data "$scratch/pairs.csv" --image-root "$data/sample/images" --json
exit $failed
