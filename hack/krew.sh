#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Prints the krew manifest of the kubectl plugin: of the archives kubectl-nsm_<os>_<arch>.tar.gz
# in a directory, which become files of the release of that version.
#
#   hack/krew.sh VERSION DIRECTORY
set -euo pipefail

version=$1
directory=$2

cat <<EOF
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: nsm
spec:
  version: v$version
  homepage: https://github.com/networkservicemesh/nsm-operator/blob/v$version/docs/kubectl.md
  shortDescription: See and check Network Service Meshes
  description: |
    Shows what Network Service Meshes run (status), what a change of one would
    do (render, diff), what keeps one from running (check), and which network
    services and endpoints there are (topology). Gathers support data without
    secrets (support). It only reads from the cluster, with one exception:
    check --active creates a namespace with pods that send a ping, and removes
    it again.
  platforms:
EOF
for archive in "$directory"/kubectl-nsm_*_*.tar.gz; do
  name=$(basename "$archive")
  IFS=_ read -r _ os arch <<<"${name%.tar.gz}"
  binary=kubectl-nsm
  [[ $os == windows ]] && binary=kubectl-nsm.exe
  cat <<EOF
  - selector:
      matchLabels:
        os: $os
        arch: $arch
    uri: https://github.com/networkservicemesh/nsm-operator/releases/download/v$version/$name
    sha256: $(sha256sum "$archive" | cut -d ' ' -f 1)
    bin: $binary
EOF
done
