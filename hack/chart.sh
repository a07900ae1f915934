#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Generates what the Helm chart of the operator takes from config/: the manifests as
# kustomize builds them, one object a file, and the versions in Chart.yaml. The chart's
# templates set in them what its values say, and nothing else.
#
#   hack/chart.sh VERSION
#
# KUSTOMIZE names the tool; `make chart` builds and passes it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?usage: hack/chart.sh VERSION}
kustomize=${KUSTOMIZE:-bin/kustomize}
chart=charts/nsm-operator

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/pods" "$work/nodes"
"$kustomize" build config/chart -o "$work/pods"
"$kustomize" build config/chart/host-network -o "$work/nodes"

# Which file is which object, kustomize says by its kind and name.
manifests=$chart/manifests
rm -rf "$manifests"
mkdir -p "$manifests"/{crds,networkservicemesh,rbac,services}
mv "$work"/pods/*_customresourcedefinition_nsms.nsm.*.yaml "$manifests/crds/"
mv "$work"/pods/*_customresourcedefinition_*.yaml "$manifests/networkservicemesh/"
mv "$work"/pods/rbac.authorization.k8s.io_*.yaml "$work"/pods/*_serviceaccount_*.yaml "$manifests/rbac/"
mv "$work"/pods/*_service_*.yaml "$manifests/services/"
mv "$work"/pods/*_priorityclass_*.yaml "$manifests/priorityclass.yaml"
mv "$work"/pods/*_poddisruptionbudget_*.yaml "$manifests/poddisruptionbudget.yaml"
mv "$work"/pods/*_deployment_*.yaml "$manifests/deployment.yaml"
mv "$work"/nodes/*_deployment_*.yaml "$manifests/deployment-host-network.yaml"

left=$(ls "$work/pods")
[[ -z $left ]] || { echo "hack/chart.sh: the chart has no place for $left" >&2; exit 1; }

sed -i -e "s|^version: .*|version: $version|" -e "s|^appVersion: .*|appVersion: v$version|" "$chart/Chart.yaml"
