#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Has the SPIRE whose images config/spire names validate the files of its server and agent. It is
# built with the dependencies of its own release.
#
# usage: hack/validate-spire.sh <directory for the programs>
set -euo pipefail

tag=$(sed -n '/newName: .*\/spire-server$/{n;s/^ *newTag: //p}' config/spire/base/kustomization.yaml)
[[ $tag =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "config/spire/base/kustomization.yaml: the tag of spire-server is \"$tag\", and has to be a release of SPIRE" >&2; exit 1; }
programs=$(realpath -m "$1")/$tag
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TRUST_DOMAIN=k8s.nsm

for program in server agent; do
  if [[ ! -x $programs/spire-$program ]]; then
    echo "building spire-$program v$tag (once)"
    GOBIN=$programs GOFLAGS="${GOFLAGS:-} -trimpath" "${GO:-go}" install "github.com/spiffe/spire/cmd/spire-$program@v$tag"
  fi
  "$programs/spire-$program" validate -expandEnv -config "config/spire/base/$program.conf"
  # That it is able to refuse something.
  sed 's/^  trust_domain = /  no_such_key = "1"\n&/' "config/spire/base/$program.conf" >"$work/$program.conf"
  if "$programs/spire-$program" validate -expandEnv -config "$work/$program.conf" >"$work/said" 2>&1 || ! grep -q "unknown configuration" "$work/said"; then
    echo "spire-$program v$tag does not refuse a key that it does not know" >&2
    cat "$work/said" >&2
    exit 1
  fi
done
