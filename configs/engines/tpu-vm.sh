#!/bin/bash
# {{parallel}} TPU slices, each a worker on all of its hosts; run it again to replace those that
# were preempted. What they had finished is kept.
set -u
for i in $(seq 0 {{last_parallel}}); do
  vm={{name}}-$i
  state=$(gcloud compute tpus tpu-vm describe "$vm" --zone={{zone}} --format='value(state)' 2>/dev/null)
  if [ "$state" = PREEMPTED ]; then
    gcloud compute tpus tpu-vm delete "$vm" --zone={{zone}} --quiet
    state=
  fi
  if [ -z "$state" ]; then
    gcloud compute tpus tpu-vm create "$vm" --zone={{zone}} --spot \
      --accelerator-type={{accelerator}} --version={{image}} || continue
    gcloud compute tpus tpu-vm ssh "$vm" --zone={{zone}} --worker=all --command={{setup_quoted}}
  fi
  gcloud compute tpus tpu-vm ssh "$vm" --zone={{zone}} --worker=all \
    --command={{background_quoted}} &
done
wait
