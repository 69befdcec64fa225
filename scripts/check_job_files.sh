#!/usr/bin/env bash
# Make the image of the Dockerfile and run in it what a job file of Kubernetes says, to its end.
#
#   sudo scripts/check_job_files.sh [JAXAGENT]
#
# JAXAGENT renders the job (by default .venv/bin/jaxagent). The worker has the image and an empty
# folder that is mounted at /results, and nothing else. The folder's name and the sweep's options hold
# spaces, quotes and other signs. Passes if the job ends with 0, the table is there, a second worker
# finds nothing to do, and a wrong sweep ends with 2.
#
# Needs root, buildah and ten minutes, but no daemon. The base is BASE (an image, such as
# docker.io/library/python:3.13-slim), and without it made from ROOT, the folder of a Debian with
# python3 and python3-venv, which debootstrap makes if there is none. Certificates and /etc/pip.conf
# of this machine are handed on to such a base, so that it works behind a proxy or a mirror.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=${1:-.venv/bin/jaxagent}
root=${ROOT:-build/roots/trixie}
work=$(mktemp -d)
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs _CONTAINERS_USERNS_CONFIGURED=
store=(--root "$work/images" --runroot "$work/run")
tool() { buildah "${store[@]}" "$@"; }
trap 'tool rm --all >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

base=${BASE:-}
if [ -z "$base" ]; then
	[ -x "$root/usr/bin/python3" ] ||
		debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv trixie "$root"
	container=$(tool from scratch)
	place=$(tool mount "$container")
	tar -C "$root" --one-file-system --exclude=./proc/* --exclude=./sys/* --exclude=./dev/* \
		--exclude=./home/* --exclude=./root/* --exclude=./jaxagent --exclude=./tmp/* -c . | tar -C "$place" -x
	cp -L /etc/ssl/certs/ca-certificates.crt "$place/etc/ssl/certs/"
	[ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$place/etc/"
	tool umount "$container" >/dev/null
	base=localhost/base
	tool commit --quiet --rm "$container" "$base" >/dev/null
fi
tool build --quiet --build-arg BASE="$base" --tag jaxagent . >"$work/build.log" 2>&1 ||
	{ tail -20 "$work/build.log"; exit 1; }
echo "image: made"

cat >"$work/sweep.json" <<'JSON'
{"name": "2026", "plan": "train", "axes": {"train.entropy": [0.0, 0.01]}, "changes": {
 "about": "it's \"a\": {b} # $(touch /results/pwned) $HOME",
 "base.updates": 2, "base.rows": 8, "base.turns": 4, "base.minibatch": 4,
 "train.updates": 2, "train.rows": 8, "train.turns": 4, "train.minibatch": 4,
 "evaluation.instances": 8, "evaluation.attempts": 1}}
JSON
out="/results/it's a \"sweep\": # \$(touch pwned)"
"$program" sweep submit "$work/sweep.json" --engine k8s --image jaxagent --volume "my: volume # x" \
	--setup "export NOTE='\$(touch /results/pwned) it is: #1'" --out "$out" --dry-run >"$work/job.yaml"
# The command is a line of JSON; Kubernetes takes `$$` for a dollar sign.
script=$(sed -n 's/^ *command: //p' "$work/job.yaml" |
	python3 -c 'import json, sys; print(json.load(sys.stdin)[2].replace("$$", "$"))')
container=$(tool from jaxagent)
mkdir "$work/results"

work_on() { # SCRIPT: run it as a pod does
	tool run --env JOB_COMPLETION_INDEX=0 --volume "$work/results:/results" "$container" -- \
		bash -c "$1" </dev/null
}
fail() { echo "check_job_files: $1" >&2; exit 1; }

start=$SECONDS
work_on "$script" || fail "the job ended with $?"
echo "job: 0 after $((SECONDS - start)) s"
[ -s "$work/results/${out#/results/}/shards/00000/result.csv" ] || fail "no table"
[ "$(ls "$work/results")" = "${out#/results/}" ] || fail "more was made: $(ls "$work/results")"
start=$SECONDS
work_on "$script" || fail "the second worker ended with $?"
echo "second worker: 0 after $((SECONDS - start)) s"
code=0
work_on "${script//train.entropy/train.colour}" || code=$?
[ "$code" -eq 2 ] || fail "a wrong sweep ended with $code"
echo "wrong sweep: 2"
