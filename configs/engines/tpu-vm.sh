#!/bin/bash
# {{workers}} TPU slices, each a worker on all of its hosts, made side by side; run it again to
# replace those that were preempted. A worker that runs is left alone, and what was finished is kept.
set -u

gcloud_tpu() { gcloud compute tpus tpu-vm "$@" --zone={{zone_shell}}; }

slice() {
  local vm={{name_shell}}-$1 state
  state=$(gcloud_tpu describe "$vm" --format='value(state)' 2>/dev/null)
  case $state in
    PREEMPTED | TERMINATED | STOPPED)
      gcloud_tpu delete "$vm" --quiet || return
      state=
      ;;
  esac
  if [ -z "$state" ]; then
    gcloud_tpu create "$vm" --spot --accelerator-type={{accelerator_shell}} \
      --version={{image_shell}} || return
  fi
  # Mounts the share and starts a worker, unless that has happened: a lock on the host tells.
  gcloud_tpu ssh "$vm" --worker=all --command={{background_shell}}
}

failed=0
pids=()
for i in $(seq 0 {{last}}); do
  slice "$i" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || failed=$((failed + 1)); done
[ "$failed" -eq 0 ] || echo "$failed of {{workers}} slices did not start; run this again" >&2
exit $((failed > 0))
