# SPDX-License-Identifier: Apache-2.0
#
# The commands of the project. Everything that they need is built from source by
# Go, from versions pinned in go.mod files, into bin/ and bin/k8s, once.

SHELL := /usr/bin/env bash -o pipefail
.SHELLFLAGS := -ec
.DEFAULT_GOAL := help

VERSION        ?= 2.0.0
RELEASED_IMG   := ghcr.io/networkservicemesh/nsm-operator:v$(VERSION)
IMG            ?= $(RELEASED_IMG)
BUNDLE_IMG     ?= ghcr.io/networkservicemesh/nsm-operator-bundle:v$(VERSION)
# The bridge from the earlier operator is a bundle with the operator of this release. It is
# released once, with BRIDGE_OF; later releases keep it in their catalog as it is.
BRIDGE_VERSION := 1.99.0
BRIDGE_OF      := 2.0.0
BRIDGE_IMG     ?= ghcr.io/networkservicemesh/nsm-operator-bundle:v$(BRIDGE_VERSION)
MUST_GATHER_IMG ?= ghcr.io/networkservicemesh/nsm-operator-must-gather:v$(VERSION)
# Of that image, as must-gather-push prints it: the bundle then names the image by it, and not
# by its tag. Optional.
MUST_GATHER_DIGEST ?=
MUST_GATHER_REF = $(if $(MUST_GATHER_DIGEST),$(patsubst %:v$(VERSION),%,$(MUST_GATHER_IMG))@$(MUST_GATHER_DIGEST),$(MUST_GATHER_IMG))
CATALOG_IMG    ?= ghcr.io/networkservicemesh/nsm-operator-catalog:v$(VERSION)
CATALOG        ?= dist/catalog
CHANNELS       ?=
CONTAINER_TOOL ?= docker
# What the released images are for, and the kubectl plugin.
ARCHES         ?= amd64 arm64
PLUGIN_SYSTEMS ?= linux darwin windows
comma          := ,
# Docker's own: other tools push images for several architectures in other ways.
BUILDX          = docker buildx build --platform $(subst $() ,$(comma),$(ARCHES:%=linux/%)) --provenance=false --push
LOCALBIN       ?= $(CURDIR)/bin
K8S_BIN        ?= $(LOCALBIN)/k8s
NSM            ?= config/samples/nsm_v1alpha1_nsm.yaml
GO             ?= go

# The API-server tests take a control plane of the user's where there is one.
export KUBEBUILDER_ASSETS ?= $(K8S_BIN)
export CGO_ENABLED := 0

# What is released, the tools and the control plane are built with -trimpath. So is all else
# here: a package is compiled once more for other flags, and that is most of a first run.
export GOFLAGS := $(filter-out -trimpath,$(shell $(GO) env GOFLAGS)) -trimpath

include hack/tools/tools.mk

# The operator and the plugin tell their version.
GO_LDFLAGS = -s -w -X main.version=v$(VERSION)
# Of the operator. gRPC's traces are pages of HTML templates, which may call any method by its
# name: with them, the linker keeps all methods of all types, a quarter of the program.
MANAGER_FLAGS = -trimpath -tags grpcnotrace -ldflags "$(GO_LDFLAGS)"

LOCALCLUSTER := $(LOCALBIN)/localcluster
MANAGER      := $(LOCALBIN)/manager
OLM_PACKAGE  := $(LOCALBIN)/olm-package
DEPLOY       := $(LOCALBIN)/deploy
TESTCLUSTER  := $(LOCALBIN)/testcluster
IMAGE        := $(LOCALBIN)/image

# What "make deploy" is to install. SPIRE=external: there is one, or it comes otherwise.
NAMESPACE     ?= nsm
SPIRE         ?= lab
SPIRE_STORAGE ?= pvc
SPIRE_CSI     ?= false
SPIRE_REGISTRY   ?=
SPIRE_FEDERATION ?= false
TRUST_DOMAIN  ?= k8s.nsm
KUBELET_DIR   ?=
TIMEOUT       ?= 5m
DEPLOY_FLAGS   = --kustomize $(KUSTOMIZE) --image $(IMG) --namespace $(NAMESPACE) --timeout $(TIMEOUT) --spire $(SPIRE) \
  --spire-storage $(SPIRE_STORAGE) --spire-csi=$(SPIRE_CSI) --spire-federation=$(SPIRE_FEDERATION) --trust-domain $(TRUST_DOMAIN) \
  $(if $(SPIRE_REGISTRY),--spire-registry $(SPIRE_REGISTRY)) $(if $(KUBELET_DIR),--kubelet-directory $(KUBELET_DIR))

# What "make test-cluster" does beside that. FROM and TO are releases of NSM, SAMPLE is a file with the NSM.
TEST_NAMESPACE ?= nsm-test
CLIENTS        ?= nsm-test-clients
FROM           ?=
TO             ?=
SAMPLE         ?=
VALUES         ?=
REPORT         ?=
SUPPORT        ?= nsm-test-cluster-support.tar.gz
YES            ?=
KEEP           ?=

##@ General

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*##"} /^[a-zA-Z0-9_-]+:.*?##/ { printf "  \033[36m%-16s\033[0m %s\n", $$1, $$2 } /^##@/ { printf "\n%s\n", substr($$0, 5) }' Makefile

##@ Use

.PHONY: run
run: control-plane $(MANAGER) ## Run the operator and the sample NSM on a local control plane, until Ctrl-C (NSM=file.yaml: that one).
	@$(LOCALCLUSTER) run --assets $(K8S_BIN) --manager $(MANAGER) --config config/local --sample $(NSM)

.PHONY: control-plane
control-plane: $(LOCALCLUSTER) ## Build etcd, the Kubernetes control plane, kubectl and kwok from source, once.
	@$(LOCALCLUSTER) build --out $(K8S_BIN)

.PHONY: deploy
deploy: $(KUSTOMIZE) $(DEPLOY) $(IMAGE) ## Put SPIRE and the operator onto the cluster of the current kubeconfig (SPIRE=external: the operator alone).
	@$(DEPLOY) up $(DEPLOY_FLAGS) --image-check $(IMAGE) --default-image $(RELEASED_IMG)

.PHONY: undeploy
undeploy: $(KUSTOMIZE) $(DEPLOY) ## Remove all meshes, then the operator, and the SPIRE that came with it.
	@$(DEPLOY) down $(DEPLOY_FLAGS)

.PHONY: test-cluster
test-cluster: $(KUSTOMIZE) $(HELM) $(IMAGE) $(TESTCLUSTER) kubectl-nsm ## Walk from nothing to a ping and through an upgrade on the cluster of the current kubeconfig, and remove it all.
	@$(TESTCLUSTER) $(DEPLOY_FLAGS) --image-check $(IMAGE) --default-image $(RELEASED_IMG) --namespace $(TEST_NAMESPACE) --clients $(CLIENTS) \
	  --helm $(HELM) --plugin $(LOCALBIN)/kubectl-nsm --sample "$(SAMPLE)" --values "$(VALUES)" --report "$(REPORT)" --support "$(SUPPORT)" \
	  $(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO)) $(if $(YES),--yes) $(if $(KEEP),--keep)

.PHONY: build-installer
build-installer: $(KUSTOMIZE) $(DEPLOY) ## Write what "make deploy" applies into one file, dist/install.yaml.
	@$(DEPLOY) installer $(DEPLOY_FLAGS) --out dist/install.yaml

##@ Build

.PHONY: build
build: $(MANAGER) ## Build the operator.

# Go knows best whether anything has changed.
.PHONY: $(MANAGER)
$(MANAGER):
	@$(GO) build $(MANAGER_FLAGS) -o $@ .

.PHONY: kubectl-nsm
kubectl-nsm: ## Build the kubectl plugin, bin/kubectl-nsm: with that in the PATH, "kubectl nsm" is a command.
	@$(GO) build -trimpath -ldflags "$(GO_LDFLAGS)" -o $(LOCALBIN)/kubectl-nsm ./cmd/kubectl-nsm

.PHONY: $(LOCALCLUSTER)
$(LOCALCLUSTER):
	@$(GO) build -C hack/localcluster -trimpath -o $(abspath $@) .

.PHONY: $(OLM_PACKAGE)
$(OLM_PACKAGE):
	@$(GO) build -C hack/olm -trimpath -o $(abspath $@) .

.PHONY: $(DEPLOY)
$(DEPLOY):
	@$(GO) build -trimpath -o $@ ./hack/deploy

.PHONY: $(TESTCLUSTER)
$(TESTCLUSTER):
	@$(GO) build -trimpath -o $@ ./hack/testcluster

.PHONY: $(IMAGE)
$(IMAGE):
	@$(GO) build -C hack/image -trimpath -o $(abspath $@) .

.PHONY: docker-build
docker-build: ## Build the operator's image.
	$(CONTAINER_TOOL) build --build-arg VERSION=$(VERSION) -t $(IMG) .

.PHONY: must-gather-build
must-gather-build: ## Build the image for oc adm must-gather.
	$(CONTAINER_TOOL) build --target must-gather --build-arg VERSION=$(VERSION) -t $(MUST_GATHER_IMG) .

.PHONY: must-gather-push
must-gather-push: ## Build that image for all architectures, push it, and print its digest.
	@mkdir -p dist
	@$(BUILDX) --target must-gather --build-arg VERSION=$(VERSION) -t $(MUST_GATHER_IMG) --metadata-file dist/must-gather.json .
	@jq --raw-output '.["containerimage.digest"]' dist/must-gather.json

# For Linux, whatever this machine runs.
.PHONY: dist/manager
dist/manager:
	@GOOS=linux $(GO) build $(MANAGER_FLAGS) -o $@ .

.PHONY: image
image: $(IMAGE) dist/manager ## Make the operator's image for this machine's architecture as an OCI layout in dist/image, without a container engine.
	@rm -rf dist/image
	@$(IMAGE) build -version $(VERSION) -out dist/image dist/manager

.PHONY: image-push
image-push: $(IMAGE) dist/manager ## Push that image as IMG, without a container engine.
	@$(IMAGE) build -version $(VERSION) -push $(IMG) dist/manager

##@ Develop

.PHONY: generate
generate: $(CONTROLLER_GEN) ## Generate the deepcopy functions.
	@$(CONTROLLER_GEN) object:headerFile=hack/boilerplate.go.txt paths=./apis/...

.PHONY: manifests
manifests: $(CONTROLLER_GEN) ## Generate the CRD and the operator's roles.
	@$(CONTROLLER_GEN) crd:generateEmbeddedObjectMeta=true paths=./apis/... output:crd:artifacts:config=config/crd/bases
	@$(GO) run ./hack/trimcrd config/crd/bases/nsm.networkservicemesh.io_nsms.yaml
	@$(CONTROLLER_GEN) rbac:roleName=nsm-operator paths=./... output:rbac:artifacts:config=config/rbac

SPIRE_CONTROLLER_MANAGER := github.com/spiffe/spire-controller-manager@v0.7.0

# Of the release in config/spire/base/kustomization.yaml.
.PHONY: spire-crds
spire-crds: ## Take the CRDs of SPIRE's controller manager from its Go module.
	@source=$$($(GO) mod download -json $(SPIRE_CONTROLLER_MANAGER) | sed -n 's/^.*"Dir": "\(.*\)".*$$/\1/p'); \
	  install -m 0644 "$$source"/config/crd/bases/*.yaml config/spire/crd/

.PHONY: docs
docs: $(CRD_REF_DOCS) ## Generate the API reference.
	@$(CRD_REF_DOCS) --source-path=apis --config=docs/.crd-ref-docs.yaml --templates-dir=docs/.crd-ref-docs \
	  --renderer=markdown --output-path=docs/api-reference.md --max-depth=20 --log-level=ERROR

.PHONY: golden
golden: ## Write what tests compare anew: rendered objects, the table of metrics, what the plugin writes, the states for Argo CD.
	@UPDATE_GOLDEN=1 $(GO) test ./internal/mesh/... ./internal/metrics/... ./internal/report/... ./test/argocd/...
	@UPDATE_GOLDEN=1 $(GO) test ./cmd/kubectl-nsm -run TestWhatRenderWrites

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Run the linters.
	@$(GOLANGCI_LINT) run --allow-parallel-runners

.PHONY: vet
vet: ## Run go vet on all modules.
	@$(GO) vet ./...
	@$(GO) -C hack/localcluster vet ./...
	@$(GO) -C test/scc vet ./...
	@$(GO) -C hack/olm vet ./...
	@$(GO) -C hack/image vet ./...
	@$(GO) -C test/bundle vet ./...

##@ Test

# What the end-to-end tests run. They build none of it.
END_TO_END := $(MANAGER) $(DEPLOY) $(TESTCLUSTER) $(IMAGE) kubectl-nsm $(HELM) $(HELM3) $(KUSTOMIZE)

# It names what has failed once more at the end.
GO_TEST := GO=$(GO) hack/test.sh

# "make vet" does all that go test would, and more: without this, all dependencies of each
# module are looked through twice.
TEST_FLAGS := -vet=off -timeout 40m

# Packages that take all cores, or whose tests keep pace with a clock.
ALONE := ./controllers ./test/e2e ./test/olm ./test/rotation ./internal/watchfacts

# Those one at a time, and of the others one a core: two suites that have an API server take
# more than two cores give, now and then, and a spec then waits longer than it would.
.PHONY: test
test: check-generated vet lint control-plane $(END_TO_END) $(OPM) $(OLM) $(OLM_CATALOG) $(OLM_PACKAGE) $(PROMTOOL) test-scc test-bundle ## Run everything that must pass.
	@$(GO_TEST) -C hack/localcluster test $(TEST_FLAGS) ./...
	@$(GO_TEST) -C hack/image test $(TEST_FLAGS) ./...
	@$(GO_TEST) test $(TEST_FLAGS) $$($(GO) list ./... | grep -vxF "$$($(GO) list $(ALONE))")
	@$(GO_TEST) test -p 1 $(TEST_FLAGS) $(ALONE)

# Not part of test: everything is built once more, with cgo, and runs several times as long.
.PHONY: test-race
test-race: control-plane ## Run what runs at the same time with the race detector.
	@CGO_ENABLED=1 $(GO) test -race -p 1 -timeout 60m ./internal/... ./webhooks/...
	@CGO_ENABLED=1 $(GO) test -race -timeout 60m ./controllers -ginkgo.focus '$(RACE_FOCUS)'

RACE_FOCUS ?= whichever request|walk at random|Guarantee|registered|watch

# Not part of test, which runs a part of it: this takes hours. LONG is how many shares there
# are of it; this run has one of them, each day another one, or that of NIGHT.
.PHONY: test-long
test-long: control-plane $(MANAGER) ## Run at length what make test runs a part of (LONG=1: in full; LONG=7: a seventh, each day another one; RACE=1: with the race detector; FOCUS='walk at random': that).
	@CGO_ENABLED=$(if $(RACE),1,0) LONG=$(or $(LONG),1) $(GO_TEST) test $(if $(RACE),-race) -p 1 -count=1 -timeout 5h \
	  ./controllers ./test/e2e -run '^(TestControllers|TestEndToEnd)$$' -ginkgo.focus '$(FOCUS)'

FOCUS ?= whichever (of its )?request|whichever field|walk at random

# Not part of test: that Kubernetes is built first, into bin/compat. The packages are those of the operator that have an API server, and the end-to-end tests.
.PHONY: test-compat
test-compat: control-plane $(END_TO_END) ## Run what needs an API server on another Kubernetes (K8S=v1.31.14).
	@$(LOCALCLUSTER) build --kubernetes "$(K8S)" --out $(LOCALBIN)/compat/$(K8S) --rest $(K8S_BIN)
	@KUBEBUILDER_ASSETS=$(LOCALBIN)/compat/$(K8S) $(GO_TEST) test -p 1 $(TEST_FLAGS) \
	  ./controllers ./webhooks ./internal/... ./cmd/... ./test/rotation ./test/e2e

FUZZTIME ?= 5s

# What the fuzzer makes up differs from run to run, so that it is no part of test,
# which runs the corpus, and objects made from a fixed seed. The minimizer is kept
# short: it would take all of the time.
.PHONY: fuzz
fuzz: ## Fuzz conversion, admission and masking, each target for FUZZTIME.
	@for target in FuzzV1alpha1 FuzzV1beta1 FuzzAnnotation; do \
	  $(GO) test ./internal/conversion -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x; \
	done
	@$(GO) test ./webhooks -run '^$$' -fuzz '^FuzzReview$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 10x
	@$(GO) test ./internal/mask -run '^$$' -fuzz '^FuzzWriter$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 10x

.PHONY: test-e2e
test-e2e: control-plane $(END_TO_END) ## Run the end-to-end tests alone.
	@$(GO) test ./test/e2e/... -timeout 40m -v

.PHONY: test-chart
test-chart: $(HELM) $(HELM3) $(KUSTOMIZE) ## Have Helm judge and render the charts.
	@$(GO) test ./test/chart/... -v

.PHONY: test-alerts
test-alerts: $(PROMTOOL) ## Have promtool fire and clear each alert.
	@$(GO) test ./test/prometheus/... -v

.PHONY: test-olm
test-olm: control-plane $(MANAGER) $(OPM) $(OLM) $(OLM_CATALOG) $(OLM_PACKAGE) ## Install, upgrade and remove the operator by the real OLM, alone.
	@$(GO_TEST) test ./test/olm/... -count=1 -timeout 40m -v

# Not cached: it runs the renderer of the operator's own module.
.PHONY: test-scc
test-scc: ## Have OpenShift's own admission code judge the pods that are rendered for OpenShift.
	@$(GO_TEST) -C test/scc test -count=1 $(TEST_FLAGS) ./...

# Not cached: they run the tools in bin.
.PHONY: test-bundle
test-bundle: control-plane $(OPM) $(OPERATOR_SDK) $(SCORECARD_TEST) ## Have the rules of OLM, the scorecard, the community's catalogs and OLM v1 judge the bundle.
	@$(GO_TEST) -C hack/olm test -count=1 $(TEST_FLAGS) ./...
	@$(GO_TEST) -C test/bundle test -count=1 $(TEST_FLAGS) ./...

# Not part of test: all of SPIRE is built first, into bin/spire.
.PHONY: test-spire
test-spire: ## Have the SPIRE that config/spire names validate the configuration of the lab's.
	@GO=$(GO) hack/validate-spire.sh $(LOCALBIN)/spire $(SPIRE_CONTROLLER_MANAGER)

.PHONY: bench
bench: control-plane $(MANAGER) kubectl-nsm $(OPM) $(OLM) $(OLM_CATALOG) $(DEPLOY) $(IMAGE) $(HELM) $(HELM3) $(KUSTOMIZE) ## Measure, and print.
	@$(GO) test ./test/perf/... -run '^$$' -bench . -skip Recording -benchtime 1x -timeout 60m
	@LONG=1 $(GO) test ./test/olm -count=1 -timeout 40m -v -ginkgo.focus 'next version'
	@$(GO) test ./test/e2e -count=1 -timeout 40m -v -ginkgo.focus '$(UPGRADES)'

# By Helm, with what that needs before.
UPGRADES := chart is (installed by Helm 4|upgraded twice)

# Not part of bench: it writes files that are kept.
.PHONY: record-metrics
record-metrics: control-plane $(MANAGER) ## Record what the operator tells Prometheus while meshes change, for the tests of the alerts to replay.
	@RECORD=$(CURDIR)/test/prometheus/testdata $(GO) test ./test/perf/... -run '^$$' -bench Recording -benchtime 1x -timeout 60m

# Where NSM's own manifests lie: directories of <release>/<component>/*.yaml.
REFERENCE ?=

.PHONY: conformance
conformance: ## Compare what is rendered with the manifests that NSM publishes (REFERENCE="directory ...").
	@$(GO) run ./hack/conformance $(REFERENCE)

.PHONY: check-generated
check-generated: $(CONTROLLER_GEN) $(CRD_REF_DOCS) $(KUSTOMIZE) $(OPERATOR_SDK) ## Fail when a generated file is not what its source says.
	@LOCALBIN=$(LOCALBIN) MAKE=$(MAKE) hack/check-generated.sh

##@ Package

.PHONY: chart
chart: manifests $(KUSTOMIZE) ## Generate what the operator's Helm chart takes from config.
	@KUSTOMIZE=$(KUSTOMIZE) hack/chart.sh $(VERSION)

# With the chart: who changes what one of the two is made of has changed the other.
.PHONY: bundle
bundle: chart $(KUSTOMIZE) $(OPERATOR_SDK) $(OLM_PACKAGE) ## Generate the OLM bundle, and the bridge to it from the earlier operator.
	@KUSTOMIZE=$(KUSTOMIZE) OPERATOR_SDK=$(OPERATOR_SDK) OLM_PACKAGE=$(OLM_PACKAGE) \
	  hack/bundle.sh $(VERSION) $(IMG) $(MUST_GATHER_REF) $(BRIDGE_VERSION)

.PHONY: bundle-build
bundle-build: ## Build the images of the bundle and of the bridge.
	$(CONTAINER_TOOL) build -f bundle.Dockerfile -t $(BUNDLE_IMG) .
	$(CONTAINER_TOOL) build -f bridge.Dockerfile -t $(BRIDGE_IMG) .

.PHONY: bundle-image
bundle-image: $(IMAGE) ## Make both images as OCI layouts in dist/bundle and dist/bridge, without a container engine.
	@rm -rf dist/bundle dist/bridge
	@$(IMAGE) bundle -out dist/bridge bridge
	@$(IMAGE) bundle -out dist/bundle bundle

.PHONY: bundle-push
bundle-push: $(IMAGE) ## Push the bundle's image as BUNDLE_IMG, without a container engine, and print its digest.
	@$(IMAGE) bundle -push $(BUNDLE_IMG) bundle

.PHONY: bridge-push
bridge-push: $(IMAGE) ## The same for the bridge as BRIDGE_IMG, in the release that has it.
	@[[ "$(VERSION)" != "$(BRIDGE_OF)" ]] || $(IMAGE) bundle -push $(BRIDGE_IMG) bridge

# catalog/ holds what has been released. This release is added to it.
.PHONY: catalog
catalog: bundle $(OLM_PACKAGE) $(OPM) ## Make the catalog with this release in dist/catalog (CATALOG=catalog: release it; CHANNELS=candidate: in that one).
	@$(OLM_PACKAGE) catalog -opm $(OPM) -from catalog/nsm-operator/catalog.yaml -image $(BRIDGE_IMG) -channels "$(CHANNELS)" \
	  $(if $(filter-out $(BRIDGE_OF),$(VERSION)),-keep) -out $(CATALOG) bridge
	@$(OLM_PACKAGE) catalog -opm $(OPM) -from $(CATALOG)/nsm-operator/catalog.yaml -image $(BUNDLE_IMG) -channels "$(CHANNELS)" \
	  -out $(CATALOG) bundle

.PHONY: community
community: bundle ## Make the folders for the pull requests to both community catalogs in dist/community.
	@hack/community.sh $(VERSION) dist/community $(if $(filter $(BRIDGE_OF),$(VERSION)),$(BRIDGE_VERSION))

.PHONY: catalog-build
catalog-build: catalog ## Build the catalog's image.
	$(CONTAINER_TOOL) build -f catalog.Dockerfile -t $(CATALOG_IMG) .

.PHONY: catalog-push
catalog-push: catalog ## Build that image for all architectures, push it, and print its digest.
	@$(BUILDX) -f catalog.Dockerfile -t $(CATALOG_IMG) --metadata-file dist/catalog.json .
	@jq --raw-output '.["containerimage.digest"]' dist/catalog.json

##@ Release

# The tag of a release is "v" and VERSION, and CHANGELOG.md has its notes.
.PHONY: release-check
release-check: ## Fail unless TAG is the version of this tree, and CHANGELOG.md tells of it.
	@[[ "$(TAG)" == "v$(VERSION)" ]] || { echo 'the tag "$(TAG)" is not v$(VERSION), the VERSION in the Makefile' >&2; exit 1; }
	@grep -q '^## $(VERSION) ([0-9]' CHANGELOG.md || { echo 'CHANGELOG.md has no heading "## $(VERSION) (<date>)"' >&2; exit 1; }

.PHONY: release-notes
release-notes: ## Print what CHANGELOG.md says of this version, and fail if that is nothing.
	@awk '/^## / { told = index($$0, "## $(VERSION) ") == 1; next } told { print; if (NF) any = 1 } END { exit !any }' CHANGELOG.md

.PHONY: release-programs
release-programs: ## Build the operator for all architectures, in dist.
	@for arch in $(ARCHES); do GOOS=linux GOARCH=$$arch $(GO) build $(MANAGER_FLAGS) -o dist/manager-$$arch .; done

.PHONY: release-plugin
release-plugin: ## Build the kubectl plugin for all systems, with its krew manifest, in dist/plugin.
	@rm -rf dist/plugin
	@for system in $(PLUGIN_SYSTEMS); do for arch in $(ARCHES); do \
	  directory=dist/plugin/$$system-$$arch; mkdir -p $$directory; \
	  GOOS=$$system GOARCH=$$arch $(GO) build -trimpath -ldflags "$(GO_LDFLAGS)" -o $$directory/ ./cmd/kubectl-nsm; \
	  cp LICENSE $$directory/; \
	  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C $$directory -czf dist/plugin/kubectl-nsm_$${system}_$$arch.tar.gz .; \
	done; done
	@hack/krew.sh $(VERSION) dist/plugin >dist/plugin/nsm.krew.yaml

.PHONY: release-image
release-image: $(IMAGE) release-programs ## Make the operator's image for all architectures as an OCI layout in dist/image.
	@rm -rf dist/image
	@$(IMAGE) build -version $(VERSION) -out dist/image $(foreach arch,$(ARCHES),$(arch)=dist/manager-$(arch))

.PHONY: release-image-push
release-image-push: $(IMAGE) release-programs ## Push that image as IMG, and print its digest.
	@$(IMAGE) build -version $(VERSION) -push $(IMG) $(foreach arch,$(ARCHES),$(arch)=dist/manager-$(arch))

# Of the operator's image, as release-image-push prints it: the installer and the chart then
# name the image by it. Optional.
DIGEST ?=

# Lists of what is in a program have the time of the last commit: the same sources give the same
# files. What an image for must-gather has beside the plugin, its base says itself.
.PHONY: release-files
release-files: $(IMAGE) $(HELM) release-programs release-plugin build-installer community ## Make all files of a release, in dist/release.
	@rm -rf dist/release
	@mkdir -p dist/release
	@sed 's|image: $(IMG)$$|&$(if $(DIGEST),@$(DIGEST))|' dist/install.yaml >dist/release/nsm-operator.yaml
	@created=$$(TZ=UTC0 git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd); \
	base=$$(sed -n 's/^FROM \(.*\) AS must-gather$$/\1/p' Dockerfile); \
	list() { $(IMAGE) sbom -version $(VERSION) -created "$$created" -name "$$1" -base "$$2" $$3 >dist/release/$$4.spdx.json; }; \
	for arch in $(ARCHES); do \
	  list nsm-operator "" dist/manager-$$arch nsm-operator-$$arch; \
	  list nsm-operator-must-gather "$$base" dist/plugin/linux-$$arch/kubectl-nsm nsm-operator-must-gather-$$arch; \
	  for system in $(PLUGIN_SYSTEMS); do \
	    list kubectl-nsm "" "dist/plugin/$$system-$$arch/kubectl-nsm*" kubectl-nsm_$${system}_$$arch; \
	  done; \
	done
	@rm -rf dist/charts && mkdir -p dist/charts && cp -r charts/nsm-operator dist/charts/
	@sed -i 's|^  digest: ""$$|  digest: "$(DIGEST)"|' dist/charts/nsm-operator/values.yaml
	@$(HELM) package config/samples/application dist/charts/nsm-operator --destination dist/release >/dev/null
	@tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C dist -czf dist/release/community-operators.tar.gz community
	@cp config/prometheus/dashboard.json dist/release/grafana-dashboard.json
	@cp dist/plugin/*.tar.gz dist/plugin/nsm.krew.yaml dist/release/
	@cd dist/release && sha256sum -- * >SHA256SUMS
