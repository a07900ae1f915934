#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Fails when a generated file is not what its source says, and shows how it
# differs. It generates into a copy of the tree: nothing here is changed, and
# what is not committed yet counts as it is.
#
# LOCALBIN is the directory of the tools; `make check-generated` builds them.
set -euo pipefail
cd "$(dirname "$0")/.."

localbin=${LOCALBIN:-$PWD/bin}
generated=(
  apis/v1alpha1/zz_generated.deepcopy.go
  apis/v1beta1/zz_generated.deepcopy.go
  config/crd/bases
  config/rbac/role.yaml
  docs/api-reference.md
  bundle
  bundle.Dockerfile
  bridge
  bridge.Dockerfile
  charts/nsm-operator
)

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

# With the times of the files, by which make knows that the tools are built.
tar -cf - --exclude ./.git --exclude ./.local --exclude ./bin --exclude ./dist . | tar -xpf - -C "$copy"

if ! env -u MAKEFLAGS -u MFLAGS "${MAKE:-make}" -s -C "$copy" LOCALBIN="$localbin" \
  generate manifests docs chart bundle >"$copy/log" 2>&1; then
  echo "generating failed:" >&2
  cat "$copy/log" >&2
  exit 1
fi

stale=()
for path in "${generated[@]}"; do
  # As a patch to the tree: "-" is what is there, "+" what should be.
  if ! (cd "$copy" && diff -ruN "$OLDPWD/$path" "$path") >"$copy/diff"; then
    stale+=("$path")
    sed "s|^--- $PWD/|--- |" "$copy/diff" | head -n 60 >&2
    [[ $(wc -l <"$copy/diff") -le 60 ]] || echo "... and $(($(wc -l <"$copy/diff") - 60)) lines more" >&2
  fi
done

if ((${#stale[@]})); then
  echo >&2
  echo "not current: ${stale[*]}" >&2
  echo "to bring them up to date: make generate manifests docs chart bundle" >&2
  exit 1
fi
