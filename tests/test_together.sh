# Several ranks: as threads on one device, and as processes where MPI and mpirun are there. Their runs are those of one
# rank with steps of as many pairs.
. "${OCLIP_TEST_DATA:-tests}/script.sh"
photos=$data/sample/images
head -n 30 "$data/sample/captions.csv" >"$scratch/pairs.csv"
usual="--model tiny --image-root $photos --train-data $scratch/pairs.csv --val-split 0 --dropout 0 --lr-scheduler const
       --log-every-n-steps 1 --report-to none --workers 1 --every-caption --share equal"

# losses NAME: of each step
losses() {
    sed 's/.*"loss":\([^,]*\),.*/\1/' "$scratch/$1/steps.jsonl"
}

# like_one NAME: the run's losses are those of "one"; they are of weights that went their own ways for some steps
like_one() {
    losses one >"$scratch/one.losses"
    losses "$1" | paste - "$scratch/one.losses" | awk '{ off = $1 / $2 - 1; if (off ^ 2 > 1e-10) bad = 1 }
        END { exit bad || NR < 4 }' || complain "$1: losses $(losses "$1") are not $(cat "$scratch/one.losses")"
}

# 29 captions: the last step is of 5, and of 2 and 3 of them
run 0 one --epochs 2 --batch-size 12
run 0 two --epochs 2 --batch-size 6 --device 0,0
like_one two
[ "$(grep -c "device 0" "$scratch/two.err")" = 2 ] || complain "two: not two devices: $(cat "$scratch/two.err")"
run 0 three --epochs 2 --batch-size 2 --accum-freq 2 --device 0,0,0
like_one three
run 0 siglip-one --epochs 1 --loss siglip --batch-size 12
run 0 siglip --epochs 1 --loss siglip --batch-size 6 --device 0,0
[ "$(losses siglip-one | cut -c 1-6)" = "$(losses siglip | cut -c 1-6)" ] || complain "siglip: $(losses siglip)"

# moments in parts: the same bits
average="--epochs 2 --batch-size 6 --device 0,0 --ema-decay 0.8"
run 0 average $average
run 0 zero $average --zero
same_model average zero
same average/checkpoints/step-00000006/arena.safetensors zero/checkpoints/step-00000006/arena.safetensors
run 0 zero-stopped $average --zero --epochs 1
run 0 zero-stopped $average --zero --resume "$scratch/zero-stopped"
same_model average zero-stopped

# Each rank reads its own photos; what is broken is listed for all, once.
mkdir "$scratch/photos"
cp "$photos"/* "$scratch/photos"
for photo in $(sed '1d;s/,.*//' "$scratch/pairs.csv" | sort -u | sed -n '2p;9p'); do
    head -c 700 "$photos/$photo" >"$scratch/photos/$photo"
done
run 0 broken --epochs 2 --batch-size 8 --device 0,0 --image-root "$scratch/photos" --max-bad-samples 0.5
[ "$(grep -c . "$scratch/broken/bad_samples.jsonl")" = 2 ] || complain "broken: $(cat "$scratch/broken/bad_samples.jsonl")"

# what one rank cannot do, none does; what it was asked, all are
run 3 no-device --device 0,99
says "no device matches --device 99"
[ "$(grep -c . "$scratch/no-device.err")" = 2 ] || complain "no-device: said more than once: $(cat "$scratch/no-device.err")"
run 2 many --device 0,0 --batch-size 16777216
says "--batch-size 16777216 x --accum-freq 1 x 2 ranks"

# stop NAME COMMAND...: a run for signals, in a step in which no kernel is built (LLVM loses its files to them)
stop() {
    code=0 name=$1
    shift
    "$@" "$trainer" $usual --out "$scratch" --name "$name" $long 2>"$scratch/$name.err" &
    while kill -0 $! && ! grep -qs '"step":6,' "$scratch/$name/steps.jsonl"; do sleep 0.1; done
    asked=$!
}

long="--epochs 8 --batch-size 4 --device 0,0"
run 0 whole $long
stop asked env
kill -s TERM $asked
wait $asked || code=$?
[ "$code" = 75 ] || complain "SIGTERM: exit code $code, not 75"
run 0 asked $long --resume "$scratch/asked"
same_model whole asked

# ---- processes ----

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
if ! ldd "$trainer" | grep -q libmpi; then
    under="env OMPI_COMM_WORLD_SIZE=2"
    run 2 no-mpi
    says "built without MPI"
    exit $failed
fi
command -v mpirun >/dev/null || exit $failed
mpirun="mpirun --oversubscribe --bind-to none -np 2"
under=$mpirun
run 0 processes --epochs 2 --batch-size 6 --device 0
under=
same_model two processes
long="--epochs 300 --batch-size 4"

# Asked to stop is one of them; killed is one of them.
stop one-asked $mpirun
kill -s TERM "$(cut -d ' ' -f 2 /proc/$asked/task/$asked/children)"
wait $asked || code=$?
[ "$code" = 75 ] || complain "SIGTERM for one process: exit code $code, not 75: $(cat "$scratch/one-asked.err")"
[ -e "$scratch/one-asked/model/model.safetensors" ] || complain "SIGTERM for one process: no model"
stop one-killed $mpirun
kill -s KILL "$(cut -d ' ' -f 2 /proc/$asked/task/$asked/children)"
wait $asked || code=$?
[ "$code" != 0 ] || complain "a killed process: exit code 0"
says "exited on signal 9"
exit $failed
