#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Takes the operator, and all meshes with it, away from the cluster of the current
# kubeconfig. It may be called again at any time, and goes on from what there is:
# what is gone already is no failure, and no step takes for ever.
#
# KUBECTL and KUSTOMIZE are the programs; TIMEOUT is how long one step may take.
set -euo pipefail
cd "$(dirname "$0")/.."

timeout=${TIMEOUT:-3m}
kubectl() { command "${KUBECTL:-kubectl}" "$@"; }

# is_served tells whether there is a resource. Groups of others that do not answer
# are none of its business.
is_served() {
  local served
  served=$(kubectl api-resources --api-group="${1#*.}" --output=name --cached=false 2>/dev/null || true)
  grep -qx "$1" <<<"$served"
}

kubectl version --output=json --request-timeout=10s >/dev/null || {
  echo "undeploy: the cluster does not answer" >&2
  exit 1
}

# The operator takes the meshes away, so they go first.
nsms=nsms.nsm.networkservicemesh.io
if is_served "$nsms" && ! kubectl delete "$nsms" --all --all-namespaces --ignore-not-found --timeout="$timeout"; then
  cat >&2 <<EOF
undeploy: not all meshes are gone after $timeout; nothing else was removed. Their finalizer waits for the operator:
  kubectl get $nsms --all-namespaces
  kubectl logs -n nsm-operator-system deployment/nsm-operator
If no operator runs, install it again (make deploy), and then run this again.
EOF
  exit 1
fi

"${KUSTOMIZE:-bin/kustomize}" build config/default | kubectl delete --ignore-not-found --timeout="$timeout" -f -

# What no owner reference removes, of meshes whose NSM went while no operator ran.
# With the CRD all NSMs are gone, so nothing of this belongs to anybody.
ours=app.kubernetes.io/managed-by=nsm-operator,nsm.networkservicemesh.io/name,nsm.networkservicemesh.io/namespace
for resource in mutatingwebhookconfigurations.admissionregistration.k8s.io \
  validatingadmissionpolicybindings.admissionregistration.k8s.io validatingadmissionpolicies.admissionregistration.k8s.io \
  clusterrolebindings.rbac.authorization.k8s.io clusterroles.rbac.authorization.k8s.io csidrivers.storage.k8s.io \
  clusterspiffeids.spire.spiffe.io clusterproperties.about.k8s.io securitycontextconstraints.security.openshift.io; do
  if is_served "$resource"; then
    kubectl delete "$resource" --selector "$ours" --ignore-not-found --timeout="$timeout"
  fi
done
kubectl delete rolebindings.rbac.authorization.k8s.io --all-namespaces \
  --selector "$ours" --timeout="$timeout"
