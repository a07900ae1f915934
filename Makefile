# SPDX-License-Identifier: Apache-2.0
#
# The commands of the project. Everything that they need is built from source by
# Go, from versions pinned in go.mod files, into bin/ and bin/k8s, once.

SHELL := /usr/bin/env bash -o pipefail
.SHELLFLAGS := -ec
.DEFAULT_GOAL := help

VERSION        ?= 2.0.0
IMG            ?= ghcr.io/networkservicemesh/nsm-operator:v$(VERSION)
BUNDLE_IMG     ?= ghcr.io/networkservicemesh/nsm-operator-bundle:v$(VERSION)
CATALOG_IMG    ?= ghcr.io/networkservicemesh/nsm-operator-catalog:v$(VERSION)
CONTAINER_TOOL ?= docker
LOCALBIN       ?= $(CURDIR)/bin
K8S_BIN        ?= $(LOCALBIN)/k8s
KUBECTL        ?= kubectl
NSM            ?= config/samples/nsm_v1alpha1_nsm.yaml
GO             ?= go

# The API-server tests take a control plane of the user's where there is one.
export KUBEBUILDER_ASSETS ?= $(K8S_BIN)
export CGO_ENABLED := 0

include hack/tools/tools.mk

LOCALCLUSTER := $(LOCALBIN)/localcluster
MANAGER      := $(LOCALBIN)/manager

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
deploy: $(KUSTOMIZE) ## Put the operator onto the cluster of the current kubeconfig.
	@$(KUSTOMIZE) build config/default | sed 's|image: ghcr.io/networkservicemesh/nsm-operator:.*|image: $(IMG)|' | $(KUBECTL) apply --server-side -f -
	@$(KUBECTL) rollout status -n nsm-operator-system deployment/nsm-operator --timeout 5m

.PHONY: undeploy
undeploy: $(KUSTOMIZE) ## Remove all meshes, then the operator and its CRDs.
	@KUBECTL=$(KUBECTL) KUSTOMIZE=$(KUSTOMIZE) hack/undeploy.sh

##@ Build

.PHONY: build
build: $(MANAGER) ## Build the operator.

# Go knows best whether anything has changed.
.PHONY: $(MANAGER)
$(MANAGER):
	@$(GO) build -trimpath -ldflags "-s -w" -o $@ .

.PHONY: $(LOCALCLUSTER)
$(LOCALCLUSTER):
	@$(GO) build -C hack/localcluster -trimpath -o $(abspath $@) .

.PHONY: docker-build
docker-build: ## Build the operator's image.
	$(CONTAINER_TOOL) build --build-arg VERSION=$(VERSION) -t $(IMG) .

##@ Develop

.PHONY: generate
generate: $(CONTROLLER_GEN) ## Generate the deepcopy functions.
	@$(CONTROLLER_GEN) object:headerFile=hack/boilerplate.go.txt paths=./apis/...

.PHONY: manifests
manifests: $(CONTROLLER_GEN) ## Generate the CRD, the operator's roles and the webhook configurations.
	@$(CONTROLLER_GEN) crd:generateEmbeddedObjectMeta=true paths=./apis/... output:crd:artifacts:config=config/crd/bases
	@$(GO) run ./hack/trimcrd config/crd/bases/nsm.networkservicemesh.io_nsms.yaml
	@$(CONTROLLER_GEN) rbac:roleName=nsm-operator webhook paths=./... output:rbac:artifacts:config=config/rbac output:webhook:artifacts:config=config/webhook

.PHONY: docs
docs: $(CRD_REF_DOCS) ## Generate the API reference.
	@$(CRD_REF_DOCS) --source-path=apis --config=docs/.crd-ref-docs.yaml --templates-dir=docs/.crd-ref-docs \
	  --renderer=markdown --output-path=docs/api-reference.md --max-depth=20 --log-level=ERROR

.PHONY: golden
golden: ## Write the golden files of the rendered objects anew.
	@UPDATE_GOLDEN=1 $(GO) test ./internal/mesh/...

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Run the linters.
	@$(GOLANGCI_LINT) run --allow-parallel-runners

.PHONY: vet
vet: ## Run go vet on all modules.
	@$(GO) vet ./...
	@$(GO) -C hack/localcluster vet ./...
	@$(GO) -C test/scc vet ./...

##@ Test

# One package at a time: each of the suites that have an API server takes what
# two cores give.
.PHONY: test
test: check-generated vet lint control-plane $(MANAGER) fuzz test-scc ## Run everything that must pass.
	@$(GO) -C hack/localcluster test ./...
	@$(GO) test -p 1 -timeout 20m ./...

FUZZTIME ?= 5s

# The minimizer is kept short: it would take all of the time.
.PHONY: fuzz
fuzz: ## Fuzz conversion, each target for FUZZTIME.
	@for target in FuzzV1alpha1 FuzzV1beta1 FuzzReview FuzzAnnotation; do \
	  $(GO) test ./webhooks -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x; \
	done

.PHONY: test-e2e
test-e2e: control-plane $(MANAGER) ## Run the end-to-end tests alone.
	@$(GO) test ./test/e2e/... -v

# Not cached: it runs the renderer of the operator's own module.
.PHONY: test-scc
test-scc: ## Have OpenShift's own admission code judge the pods that are rendered for OpenShift.
	@$(GO) -C test/scc test -count=1 ./...

.PHONY: bench
bench: control-plane $(MANAGER) ## Measure, and print.
	@$(GO) test ./test/perf/... -run '^$$' -bench . -benchtime 1x

# Where NSM's own manifests lie: <release>/<component>/*.yaml.
REFERENCE ?=

.PHONY: conformance
conformance: ## Compare what is rendered with the manifests that NSM publishes (REFERENCE=directory).
	@$(GO) run ./hack/conformance -reference $(REFERENCE)

.PHONY: check-generated
check-generated: $(CONTROLLER_GEN) $(CRD_REF_DOCS) $(KUSTOMIZE) $(OPERATOR_SDK) ## Fail when a generated file is not what its source says.
	@LOCALBIN=$(LOCALBIN) MAKE=$(MAKE) hack/check-generated.sh

##@ Package

.PHONY: bundle
bundle: manifests $(KUSTOMIZE) $(OPERATOR_SDK) ## Generate the OLM bundle.
	@KUSTOMIZE=$(KUSTOMIZE) OPERATOR_SDK=$(OPERATOR_SDK) hack/bundle.sh $(VERSION) $(IMG)

.PHONY: bundle-build
bundle-build: ## Build the bundle's image.
	$(CONTAINER_TOOL) build -f bundle.Dockerfile -t $(BUNDLE_IMG) .

# The bundle is rendered from its directory; in the catalog it is known by its image.
.PHONY: catalog
catalog: bundle $(OPM) ## Make the file-based catalog in dist/catalog, and check it.
	@rm -rf dist/catalog && mkdir -p dist/catalog/nsm-operator
	@cat catalog/nsm-operator.yaml >dist/catalog/nsm-operator/catalog.yaml
	@$(OPM) render ./bundle -o yaml | sed 's|^image: ""|image: $(BUNDLE_IMG)|' >>dist/catalog/nsm-operator/catalog.yaml
	@$(OPM) render dist/catalog -o yaml --migrate-level bundle-object-to-csv-metadata >dist/catalog.yaml
	@mv dist/catalog.yaml dist/catalog/nsm-operator/catalog.yaml
	@$(OPM) validate dist/catalog

.PHONY: catalog-build
catalog-build: catalog ## Build the catalog's image.
	$(CONTAINER_TOOL) build -f catalog/Dockerfile -t $(CATALOG_IMG) .
