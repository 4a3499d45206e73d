# Each wrong value of an option of ./trainer gives one line with the option, the value and what is allowed, before any
# data is looked at: it would be missed, and that is another exit code.
. "${OCLIP_TEST_DATA:-tests}/script.sh"

# refuses MESSAGE WORDS...
refuses() {
    code=0 wanted=$1
    shift
    said=$("$trainer" --train-data /nowhere "$@" 2>&1) || code=$?
    [ "$code" = 2 ] || complain "$*: exit code $code, not 2: $said"
    case $said in
    "oclip: $wanted"*) ;;
    *) complain "$*: not \"$wanted\" but: $said" ;;
    esac
    [ "$(echo "$said" | wc -l)" = 1 ] || complain "$*: more than a line: $said"
}

# wrong OPTION VALUE ALLOWED
wrong() {
    refuses "--$1: $2 is not in $3" "--$1" "$2"
}
not_one() {
    refuses "--$1: '$2' is not one of $3" "--$1" "$2"
}

for option in lr lr-image lr-text lr-head wd eps hard-negatives grad-clip-norm; do
    wrong $option -1 "[0, inf)"
    for value in 1e-3x nan 1e999 ""; do refuses "--$option: '$value' is not a finite number in [0, inf)" --$option "$value"; done
done
for option in max-steps max-tokens warmup save-frequency log-every-n-steps; do
    wrong $option -1 "[0, inf)"
    for value in 1.5 99999999999; do
        refuses "--$option: '$value' is not a whole number of 32 bits in [0, inf)" --$option $value
    done
done
for option in label-smoothing val-split dropout beta2; do
    wrong $option 1 "[0, 1)"
    wrong $option -0.1 "[0, 1)"
done
wrong max-bad-samples 1.1 "[0, 1]"
wrong epochs 0 "[1, inf)"
wrong embed-dim 0 "[1, 65536]"
wrong batch-size 1 "[2, 16777216]"
wrong accum-freq 0 "[1, 8388608]"
wrong train-num-samples 1 "[2, inf)"
wrong workers 1025 "[0, 1024]"
refuses "--accum-freq: 100000 is not in [1, 16384], with --batch-size 1024" --batch-size 1024 --accum-freq 100000
refuses "--seed: 'x' is not a whole number of 32 bits" --seed x

not_one precision fp8 "fp32|bf16|fp16"
not_one tune long "off|quick|full"
not_one dataset-type zip "auto|csv|coco|karpathy|webdataset|folder|classes|synthetic"
not_one split all "train|val|test"
not_one head conv "mlp|linear"
not_one loss l2 "clip|siglip"
not_one lr-scheduler step "cosine|linear|const|const-cooldown|plateau"
not_one recipe best "default|seed"
refuses "--csv-separator: ',,' is neither one character nor \"tab\"" --csv-separator ,,
for size in much 8X 0 -1G 8GB; do
    refuses "--max-memory: '$size' is not a size from 1M to 1000T, as 800M or 8G" --max-memory "$size"
done
refuses "--aug-cfg zoom=2: the keys are scale, ratio," --aug-cfg zoom=2
refuses "--model excludes --image-model and --text-model" --model tiny --image-model a --text-model b
refuses "--image-model and --text-model go together" --image-model a
wrong ema-decay 1 "[0, 1)"
wrong lora-rank 4097 "[0, 4096]"
wrong lora-alpha 0 "(0, inf)"
for option in image text; do wrong layer-decay-$option 0 "(0, 1]"; done
refuses "--lora-targets: 'qkv,fc3' is no list of qkv, out, fc1, fc2" --lora-targets qkv,fc3
refuses "--lora-alpha: 4, but no --lora-rank" --lora-alpha 4
refuses "--lora-rank: 2, but --lock-image and --lock-text" --lora-rank 2 --lock-image --lock-text
refuses "--lora-rank excludes --lock-image-unlocked-groups" --lora-rank 2 --lock-image --lock-image-unlocked-groups 1
refuses "--lock-text-unlocked-layers: 1 is of a tower that is locked; give --lock-text too" --lock-text-unlocked-layers 1
refuses "--epochs-cooldown: 0, but --lr-scheduler const-cooldown takes 1 to --epochs 3" --lr-scheduler const-cooldown --epochs 3
refuses "--val-split: 0.1, but --val-data says what to validate on" --val-split 0.1 --val-data /nowhere
refuses "--hard-negatives belongs to --loss clip" --hard-negatives 1 --loss siglip
refuses "--label-smoothing belongs to --loss clip" --label-smoothing 0.1 --loss siglip
refuses "--distill-model belongs to --loss clip" --distill-model /nowhere --loss siglip
refuses "--quiet: takes no value, but '1' was given" --quiet=1
refuses "--nmae: no such option; did you mean --name?" --nmae x

options=$("$trainer" --help | sed -n 's/^ *\(-., \)\{0,1\}--\([a-z0-9-]*\) [A-Z"a-z].*/\2/p' | grep -v '^help$')
for option in $options; do
    case $("$trainer" --help | grep -A1 -e "--$option ") in
    *\[flag*) ;;
    *) refuses "--$option: needs a value (" "--$option" ;;
    esac
done
OCLIP_LR=-1 refuses "OCLIP_LR: -1 is not in [0, inf)"
exit $failed
