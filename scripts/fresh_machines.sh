#!/usr/bin/env bash
# Run both commands of the README on machines that have nothing but a new Debian.
#
#   sudo scripts/fresh_machines.sh [MACHINE …]
#
# A MACHINE is a release of Debian, or the path of an interpreter of this machine (python3.11, say),
# and `:newest` behind it leaves the constraints out, which takes the newest jax. By default trixie
# (Python 3.13), sid (the newest Python of Debian) and trixie:newest. Of a release a root folder is
# made by debootstrap (kept in ROOTS, by default build/roots, and used again). The last commit is
# cloned into it, or into build/, and `make run` and `make test` run there one after the other, with
# an empty home. What they print goes to build/fresh-MACHINE-COMMAND.log; a table of exit codes and
# times is printed at the end, and the script fails if one of them did.
#
# Needs root, debootstrap, git and an hour. PIP_* variables, certificates and /etc/pip.conf of this
# machine are handed on, so that it works behind a proxy or a mirror.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
here=$PWD
roots=${ROOTS:-$here/build/roots}
packages=make,git,ca-certificates,python3,python3-venv
machines=("$@")
[ ${#machines[@]} -gt 0 ] || machines=(trixie sid trixie:newest)
mkdir -p "$roots" build
mounted=()

release_mounts() {
	local place
	for place in "${mounted[@]}"; do umount -l "$place" 2>/dev/null || true; done
}
trap release_mounts EXIT

make_root() { # RELEASE: a root folder of that release
	local root=$roots/$1
	[ -x "$root/usr/bin/make" ] ||
		debootstrap --variant=minbase --include="$packages" "$1" "$root" ${MIRROR:-} >"build/$1.log"
	cp -L /etc/resolv.conf "$root/etc/resolv.conf"
	cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
	[ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$root/etc/pip.conf"
	local name
	for name in proc sys dev; do
		mountpoint -q "$root/$name" && continue
		mount --rbind "/$name" "$root/$name"
		mount --make-rslave "$root/$name"
		mounted+=("$root/$name")
	done
}

inside() { # ROOT COMMAND: run it as a new user would, with this machine's way to the packages
	local keep=("HOME=$home" LANG=C.UTF-8 "PATH=/usr/bin:/bin" CI=true)
	while IFS= read -r line; do keep+=("$line"); done \
		< <(env | grep -E '^(PIP_DEFAULT_TIMEOUT|PIP_CERT|SSL_CERT_FILE|[A-Za-z]+_proxy|[A-Z]+_PROXY)=' || true)
	local enter=()
	[ -z "$1" ] || enter=(chroot "$1")
	"${enter[@]}" /usr/bin/env -i "${keep[@]}" bash -c "$2"
}

rows=()
failed=0
for machine in "${machines[@]}"; do
	kind=${machine%:newest}
	name=$(basename "$kind")${machine#"$kind"}
	if [ -x "$kind" ]; then
		root= python="PYTHON=$kind" clone=$here/build/clone home=$here/build/home
	else
		root=$roots/$kind python= clone=/jaxagent home=/home/new
		make_root "$kind"
	fi
	rm -rf "$root$home" "$root$clone"
	mkdir -p "$root$home"
	git clone -q --no-hardlinks "$here" "$root$clone"
	[ "$machine" = "$kind" ] || : >"$root$clone/constraints.txt"
	for command in run test; do
		log=build/fresh-${name/:/-}-$command.log
		start=$SECONDS
		code=0
		inside "$root" "cd '$clone' && make $command $python" >"$log" 2>&1 </dev/null || code=$?
		took=$((SECONDS - start))
		[ "$code" = 0 ] || failed=1
		versions=$(inside "$root" "cd '$clone' && .venv/bin/python -c '
import sys, jax, jaxlib
print(sys.version.split()[0], jax.__version__, jaxlib.__version__)'" 2>/dev/null || echo "- - -")
		said=$(grep -aE '[0-9]+ passed|report:|Error|error' "$log" | tail -1 | cut -c1-90 || true)
		# shellcheck disable=SC2086
		rows+=("$(printf '%-14s %-7s %-9s %-9s %-10s %4d %5ds  %s' "$name" $versions "make $command" "$code" "$took" "$said")")
		printf '%s\n' "${rows[-1]}"
	done
done

{
	printf 'commit %s\n' "$(git rev-parse --short HEAD)"
	printf '%-14s %-7s %-9s %-9s %-10s %4s %6s  %s\n' machine python jax jaxlib command exit time "last line"
	printf '%s\n' "${rows[@]}"
} | tee build/fresh-machines.txt
exit "$failed"
