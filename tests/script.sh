# What the test scripts share. They begin with
#     . "${OCLIP_TEST_DATA:-tests}/script.sh"
# and end with `exit $failed`.
set -eu
build=${OCLIP_BUILD:-build}
trainer=$build/trainer
data=${OCLIP_TEST_DATA:-tests}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export OCLIP_CACHE="$scratch/cache"
usual= # what the trainer is given in every run
under= # a command that it is run under
failed=0

complain() {
    echo "FAILED: $1"
    failed=1
}

# run CODE NAME ARGUMENTS...: a training run in the folder NAME that should end with CODE; leaves NAME.out and NAME.err
run() {
    code=0 wanted=$1 name=$2
    shift 2
    $under "$trainer" --out "$scratch" --name "$name" $usual "$@" >"$scratch/$name.out" 2>"$scratch/$name.err" || code=$?
    [ "$code" = "$wanted" ] || complain "$name: exit code $code, not $wanted: $(cat "$scratch/$name.err")"
}

# says TEXT: the last run printed TEXT
says() {
    grep -qF -- "$1" "$scratch/$name.err" || complain "$name: no \"$1\" in: $(cat "$scratch/$name.err")"
}

# same A B: two files below the scratch folder
same() {
    cmp "$scratch/$1" "$scratch/$2" || complain "$1 and $2 differ"
}

# same_model A B: of two runs
same_model() {
    same "$1/model/model.safetensors" "$2/model/model.safetensors"
}

# val_loss NAME: after the run's last epoch
val_loss() {
    tail -n 1 "$scratch/$1/results.jsonl" | sed 's/.*"val_loss":\([^,]*\),.*/\1/'
}
