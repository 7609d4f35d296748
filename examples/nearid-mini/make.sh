#!/usr/bin/env bash
# Makes nearid-mini again, from nothing: renders its training data, trains it in two stages, exports it.
#
#     bash examples/nearid-mini/make.sh WORK
#
# WORK is a new folder; the model will be in WORK/nearid-mini. Run it in an environment with nearid-cli[train]. It takes about 55
# minutes on two cores and 2.5 GB of disk. A run that was stopped goes on where it was. docs/explanation/nearid-mini.md says what came out.
set -euo pipefail
recipe=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" && cd "$1"

render() { # name, identities, difficulty, seed
    [ -d "$1" ] || nearid synth "$1" --as dataset --identities "$2" --size 64 --difficulty "$3" --seed "$4" \
        --categories bottle,mug,lamp,car,robot,house,rocket,chair
}

train() { # name, data, then what differs between the stages; two processes of one thread each
    local name=$1 data=$2
    shift 2
    OMP_NUM_THREADS=1 ACCELERATE_USE_CPU=true python -m torch.distributed.run --nproc_per_node 2 -m nearid_cli.training \
        --positives "$data/positives" --distractors "$data/distractors" \
        --validation-positives "val-$data/positives" --validation-distractors "val-$data/distractors" \
        --backbone "$recipe" --from-scratch --unfreeze --loss infonce_ext:1.0 --anchors all \
        --optimizer muon --weight-decay 0.01 --batch-size 24 --mixed-precision bf16 \
        --flip 0.5 --jitter 0.3 --translate 0.3 --background 0.3 --save-steps 500 --resume -o "$name" "$@"
}

# First the simple world, where distractors differ in everything; then the wide one, where most differ in one thing only.
render easy 24000 easy 1
render val-easy 300 easy 900
train stage1 easy --lr 2.5e-3 --schedule constant --max-steps 4000 --seed 0

render mixed 30000 mixed 2
render val-mixed 300 mixed 902
train stage2 mixed --lr 2e-3 --schedule cosine --max-steps 7500 --seed 1 --init-from stage1/checkpoint-4000

nearid export stage2/checkpoint-7500 nearid-mini
