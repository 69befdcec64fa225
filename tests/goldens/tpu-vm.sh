#!/bin/bash
# 4 TPU slices, each a worker on all of its hosts, made side by side; run it again to
# replace those that were preempted. A worker that runs is left alone, and what was finished is kept.
set -u

gcloud_tpu() { gcloud compute tpus tpu-vm "$@" --zone=europe-west4-b; }

slice() {
  local vm=demo-$1 state
  state=$(gcloud_tpu describe "$vm" --format='value(state)' 2>/dev/null)
  case $state in
    PREEMPTED | TERMINATED | STOPPED)
      gcloud_tpu delete "$vm" --quiet || return
      state=
      ;;
  esac
  if [ -z "$state" ]; then
    gcloud_tpu create "$vm" --spot --accelerator-type=v5litepod-4 \
      --version=registry/jaxagent:1 || return
  fi
  # Mounts the share and starts a worker, unless that has happened: a lock on the host tells.
  gcloud_tpu ssh "$vm" --worker=all --command='set -e
flock -n /tmp/jaxagent-demo.lock true || exit 0
command -v mount.nfs > /dev/null || { sudo apt-get -y update && sudo apt-get -y install nfs-common; }
sudo mkdir -p /results
mountpoint -q /results || sudo mount -t nfs -o hard 10.0.0.2:/share /results
mkdir -p /results/demo/logs
. .venv/bin/activate
nohup flock -n /tmp/jaxagent-demo.lock bash -c '"'"'exec jaxagent sweep run - --out /results/demo --index "claim" <<< '"'"'"'"'"'"'"'"'{"name":"demo","plan":"train","axes":{"train.entropy":[0.0,0.1]}}'"'"'"'"'"'"'"'"''"'"' >> /results/demo/logs/"$(hostname)".log 2>&1 < /dev/null &'
}

failed=0
pids=()
for i in $(seq 0 3); do
  slice "$i" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || failed=$((failed + 1)); done
[ "$failed" -eq 0 ] || echo "$failed of 4 slices did not start; run this again" >&2
exit $((failed > 0))
