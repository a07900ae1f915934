#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Has the SPIRE whose images config/spire names validate the files of its server, of its agent
# and of its controller manager. It is built with the dependencies of its own release. The CRDs
# have to be those of that controller manager.
#
# usage: hack/validate-spire.sh <directory for the programs> <module@version of the controller manager>
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

module=$("${GO:-go}" mod download -json "$2" | sed -n 's/^.*"Dir": "\(.*\)".*$/\1/p')
diff -r --exclude=kustomization.yaml "$module/config/crd/bases" config/spire/crd ||
  { echo "config/spire/crd is not what $2 has: run make spire-crds" >&2; exit 1; }

cp -r "$module" "$work/manager"
chmod -R u+w "$work/manager"
mkdir "$work/manager/validate"
cat >"$work/manager/validate/main.go" <<'EOF'
// Reads a file as the controller manager's configuration, and refuses what that does not know.
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/yaml"

	"github.com/spiffe/spire-controller-manager/api/v1alpha1"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = yaml.UnmarshalStrict([]byte(os.ExpandEnv(string(text))), &v1alpha1.ControllerManagerConfig{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
EOF
"${GO:-go}" build -C "$work/manager" -mod=mod -o "$work/validate" ./validate
config=config/spire/base/controller-manager-config.yaml
"$work/validate" "$config"
echo "SPIRE controller manager configuration file is valid."
{ cat "$config"; echo "noSuchKey: a"; } >"$work/manager.yaml"
if "$work/validate" "$work/manager.yaml" 2>"$work/said" || ! grep -q "noSuchKey" "$work/said"; then
  echo "the controller manager's configuration with a key that it does not know is not refused" >&2
  cat "$work/said" >&2
  exit 1
fi
