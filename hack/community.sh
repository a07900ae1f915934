#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes the folders for the pull requests to the community's catalogs.
#
# usage: hack/community.sh <version> <directory> [<version of the bridge>]
set -euo pipefail

version=$1 directory=$2 bridge=${3:-}
rm -rf "$directory"

folder() {
  mkdir -p "$directory/$1/operators/nsm-operator"
  cp config/community/ci.yaml "$directory/$1/operators/nsm-operator/"
  cp -r bundle "$directory/$1/operators/nsm-operator/$version"
}

# OpenShift's has the earlier operator, which the bridge replaces.
folder community-operators-prod
[[ -z $bridge ]] || cp -r bridge "$directory/community-operators-prod/operators/nsm-operator/$bridge"

# OperatorHub.io's does not: its first release replaces and skips nothing, as what a bundle replaces has to be there.
folder community-operators
[[ -z $bridge ]] || sed -i -e '/^  replaces: /d' -e '/^    olm\.skipRange: /d' "$directory/community-operators/operators/nsm-operator/$version"/manifests/*.clusterserviceversion.yaml
