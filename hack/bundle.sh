#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Generates the OLM bundle from config/manifests: bundle/ and bundle.Dockerfile. From
# that it makes the bridge, by which OLM gets to it from the earlier operator: bridge/
# and bridge.Dockerfile. The same input gives the same bundles, byte for byte.
#
#   hack/bundle.sh VERSION IMAGE MUST_GATHER_IMAGE BRIDGE_VERSION
#
# KUSTOMIZE, OPERATOR_SDK and OLM_PACKAGE name the tools; `make bundle` builds and
# passes them.
set -euo pipefail
cd "$(dirname "$0")/.."

usage='usage: hack/bundle.sh VERSION IMAGE MUST_GATHER_IMAGE BRIDGE_VERSION'
version=${1:?$usage}
image=${2:?$usage}
must_gather=${3:?$usage}
bridge_version=${4:?$usage}
kustomize=${KUSTOMIZE:-bin/kustomize}
operator_sdk=${OPERATOR_SDK:-bin/operator-sdk}
olm_package=${OLM_PACKAGE:-bin/olm-package}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

icon=$(base64 <config/manifests/icon.svg | tr -d '\n')
"$kustomize" build config/manifests | sed \
  -e "s|image: ghcr.io/networkservicemesh/nsm-operator:.*|image: $image|" \
  -e "s|containerImage: IMAGE|containerImage: $image|" \
  -e "s|image: MUST_GATHER$|image: $must_gather|" \
  -e "s|must-gather-image: MUST_GATHER$|must-gather-image: $must_gather|" \
  -e "s|base64data: ICON|base64data: $icon|" \
  -e "s|nsm-operator.vVERSION|nsm-operator.v$version|" \
  -e "s|<VERSION|<$version|" \
  -e "s|^  version: VERSION|  version: $version|" >"$work/manifests.yaml"

rm -rf bundle bundle.Dockerfile
# operator-sdk reads from a pipe only.
if ! cat "$work/manifests.yaml" | "$operator_sdk" generate bundle --quiet --overwrite --package nsm-operator --version "$version" \
  --channels alpha,candidate,stable --default-channel stable >"$work/log" 2>&1; then
  cat "$work/log" >&2
  exit 1
fi

# With the day of the release instead of the time of generation, and without the webhook
# that operator-sdk derives from the CRD: the operator looks after its webhooks and
# their certificate itself. With the related images, which operator-sdk leaves out.
csv=bundle/manifests/nsm-operator.clusterserviceversion.yaml
{
  awk -v created_at="$(grep '^    createdAt: ' "$work/manifests.yaml")" '
    /^  [^ -]/ { in_webhooks = /^  webhookdefinitions:/ }
    /^    createdAt: / { $0 = created_at }
    !in_webhooks' "$csv"
  awk '/^  [^ -]/ { in_images = /^  relatedImages:/ } in_images' "$work/manifests.yaml"
} >"$work/csv"
cp "$work/csv" "$csv"

# The OpenShift releases that have what minKubeVersion asks for.
cat >>bundle/metadata/annotations.yaml <<'EOF'

  # OpenShift 4.18 is Kubernetes 1.31.
  com.redhat.openshift.versions: v4.18
EOF
awk '{ print } /^LABEL operators.operatorframework.io.test.config/ { print "\n# OpenShift 4.18 is Kubernetes 1.31.\nLABEL com.redhat.openshift.versions=v4.18" }' \
  bundle.Dockerfile >"$work/Dockerfile"
cp "$work/Dockerfile" bundle.Dockerfile

"$olm_package" bridge -version "$bridge_version" -replaces 1.8.0 -example config/samples/nsm_v1alpha1_nsm.yaml bundle bridge
sed 's|^COPY bundle/|COPY bridge/|' bundle.Dockerfile >bridge.Dockerfile

for made in bundle bridge; do
  if ! "$operator_sdk" bundle validate "./$made" --select-optional suite=operatorframework >"$work/log" 2>&1; then
    cat "$work/log" >&2
    exit 1
  fi
done
