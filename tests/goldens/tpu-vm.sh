#!/bin/bash
# 4 TPU slices, each a worker on all of its hosts; run it again to replace those that
# were preempted. What they had finished is kept.
set -u
for i in $(seq 0 3); do
  vm=demo-$i
  state=$(gcloud compute tpus tpu-vm describe "$vm" --zone=europe-west4-b --format='value(state)' 2>/dev/null)
  if [ "$state" = PREEMPTED ]; then
    gcloud compute tpus tpu-vm delete "$vm" --zone=europe-west4-b --quiet
    state=
  fi
  if [ -z "$state" ]; then
    gcloud compute tpus tpu-vm create "$vm" --zone=europe-west4-b --spot \
      --accelerator-type=v5litepod-4 --version=registry/jaxagent:1 || continue
    gcloud compute tpus tpu-vm ssh "$vm" --zone=europe-west4-b --worker=all --command='. .venv/bin/activate'
  fi
  gcloud compute tpus tpu-vm ssh "$vm" --zone=europe-west4-b --worker=all \
    --command='mkdir -p /results/demo/logs; nohup jaxagent sweep run '"'"'my sweep.json'"'"' --out /results/demo >> /results/demo/logs/$(hostname).log 2>&1' &
done
wait
