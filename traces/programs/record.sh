#!/usr/bin/env bash
# record.sh - records one of the programs in this folder with the `go` on PATH.
#
#   record.sh OUTDIR PROGRAM PROCS [SCALE [FLAGS...]]
#   record.sh OUTDIR "stdbench PACKAGE" PROCS [TIMES]
#
# PROGRAM  orders, lru, web, trees, wordcount, index, tide, calls, blobs,
#          pprofserver or flight
# PROCS    GOMAXPROCS
# SCALE    amount of work, 1 if not given; what it counts, the program says
# FLAGS    more flags for the program, for example -rest 100ms
# PACKAGE  a package of the standard library, for example encoding/xml: its own
#          benchmarks are recorded, each with TIMES iterations (100 if not given)
#
# It leaves OUTDIR/PROGRAM-goVERSION-pPROCS.trace, an execution trace with every
# allocation and every free in it (GODEBUG=traceallocfree=1), and beside it a
# .json with runtime.MemStats at the points that the trace logs under the key
# "memstats". The benchmarks have no such points; theirs is a .txt with what
# they print, and their name is stdbench-PACKAGE with - for each slash.
#
# Needs Go 1.23 or newer, flight Go 1.25. Nothing is downloaded. -trimpath and
# relative names keep the paths of this machine out of the files.
set -euo pipefail

fail() {
    echo "record.sh: $*" >&2
    exit 1
}

[ $# -ge 3 ] || fail "usage: record.sh OUTDIR PROGRAM PROCS [SCALE [FLAGS...]], see the head of this file"
out=$1 program=$2 procs=$3 scale=${4:-}
shift $(($# < 4 ? $# : 4))
[[ $procs =~ ^[1-9][0-9]*$ ]] || fail "PROCS is not a number: $procs"
[[ $scale =~ ^([1-9][0-9]*)?$ ]] || fail "SCALE is not a number: $scale"

export GOTOOLCHAIN=local GOPROXY=off GOFLAGS="-mod=mod ${OVERLAY:+-overlay=$OVERLAY}" GOWORK=off CGO_ENABLED=0
command -v go >/dev/null || fail "no go on PATH"
version=$(cd / && go env GOVERSION)
[[ $version =~ ^go1\.([0-9]+) ]] || fail "cannot tell the version of this go: $version"
needed=23
[ "$program" != flight ] || needed=25
((BASH_REMATCH[1] >= needed)) || fail "$program needs Go 1.$needed or newer, the go on PATH is $version"

mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")"
built=$(mktemp -d)
trap 'rm -r "$built"' EXIT

if [[ $program == "stdbench "* ]]; then
    package=${program#stdbench }
    name=stdbench-${package//\//-}-$version-p$procs
    go test -c -trimpath -o "$built/program" "$package"
    [ -e "$built/program" ] || fail "$package has no tests"
    set -- -test.run '^$' -test.bench . -test.benchmem -test.benchtime "${scale:-100}x" -test.trace "$name.trace"
    exec 3>"$out/$name.txt"
else
    [ -f "$program/main.go" ] || fail "no such program: $program"
    name=$program-$version-p$procs
    go build -trimpath -o "$built/program" "./$program"
    set -- -scale "${scale:-1}" -trace "$name.trace" -json "$name.json" "$@"
    exec 3>&1
fi

cd "$out"
GOMAXPROCS=$procs GODEBUG=${GODEBUG:+$GODEBUG,}traceallocfree=1 "$built/program" "$@" >&3 ||
    fail "$program ended with an error; do not use $name.trace"
ls -l "$name".*
