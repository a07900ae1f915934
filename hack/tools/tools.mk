# SPDX-License-Identifier: Apache-2.0
#
# Developer tools, built by Go from the versions pinned in hack/tools/*/go.mod.
# Nothing is downloaded but Go modules, and each is checked against its go.sum.
#
# Include it from the main Makefile and depend on a variable:
#
#   include hack/tools/tools.mk
#   manifests: $(CONTROLLER_GEN)
#           $(CONTROLLER_GEN) crd paths=./apis/...
#
# A tool is built on first use, and again when its module's go.mod or go.sum changes.

LOCALBIN ?= $(CURDIR)/bin
GO       ?= go

# Extra flags for building tools, for instance TOOLS_BUILD_FLAGS='-p 1' on a small machine.
TOOLS_BUILD_FLAGS ?=

TOOLS_DIR := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))

CONTROLLER_GEN ?= $(LOCALBIN)/controller-gen
KUSTOMIZE      ?= $(LOCALBIN)/kustomize
CRD_REF_DOCS   ?= $(LOCALBIN)/crd-ref-docs
GOTESTSUM      ?= $(LOCALBIN)/gotestsum
GOLANGCI_LINT  ?= $(LOCALBIN)/golangci-lint
OPERATOR_SDK   ?= $(LOCALBIN)/operator-sdk
SCORECARD_TEST ?= $(LOCALBIN)/scorecard-test
OPM            ?= $(LOCALBIN)/opm
OLM            ?= $(LOCALBIN)/olm
OLM_CATALOG    ?= $(LOCALBIN)/olm-catalog
PROMTOOL       ?= $(LOCALBIN)/promtool
HELM           ?= $(LOCALBIN)/helm
HELM3          ?= $(LOCALBIN)/helm3

# Package paths that several recipes share.
OPERATOR_SDK_MODULE := github.com/operator-framework/operator-sdk
OPM_MODULE          := github.com/operator-framework/operator-registry
OLM_MODULE          := github.com/operator-framework/operator-lifecycle-manager

# OLM's own build tags: image signatures without gpgme, and SQLite's JSON functions.
OLM_TAGS := -tags containers_image_openpgp,json1

# build-tool DIR,VERSIONED-MODULE,PACKAGE,FLAGS,LDFLAGS builds $@ in module DIR.
# Both FLAGS and LDFLAGS may be empty; LDFLAGS may use the shell variable $$version. `touch` is for
# make: Go leaves an up-to-date binary alone. GOWORK=off, because a tool is never built from a workspace.
define build-tool
	@set -e; \
	version=$$(cd $(TOOLS_DIR)/$(1) && GOWORK=off $(GO) list -mod=readonly -m -f '{{.Version}}' $(2)) || \
	  { echo "$(@F): module $(2) is not pinned in $(TOOLS_DIR)/$(1)/go.mod" >&2; exit 1; }; \
	echo "building $(@F) $$version (once)"; \
	GOWORK=off CGO_ENABLED=0 $(GO) build -C $(TOOLS_DIR)/$(1) -mod=readonly -trimpath $(TOOLS_BUILD_FLAGS) \
	  $(4) -ldflags "-s -w $(5)" -o $(abspath $@) $(3) || \
	  { echo "building $(@F) $$version from $(TOOLS_DIR)/$(1) failed" >&2; exit 1; }; \
	touch $@
endef

$(LOCALBIN):
	@mkdir -p $@

TOOLS_MAIN := $(TOOLS_DIR)/go.mod $(TOOLS_DIR)/go.sum
TOOLS_LINT := $(TOOLS_DIR)/lint/go.mod $(TOOLS_DIR)/lint/go.sum
TOOLS_OLM  := $(TOOLS_DIR)/olm/go.mod $(TOOLS_DIR)/olm/go.sum
TOOLS_PROM := $(TOOLS_DIR)/promtool/go.mod $(TOOLS_DIR)/promtool/go.sum
TOOLS_HELM := $(TOOLS_DIR)/helm/go.mod $(TOOLS_DIR)/helm/go.sum

$(LOCALBIN)/controller-gen: $(TOOLS_MAIN) | $(LOCALBIN)
	$(call build-tool,.,sigs.k8s.io/controller-tools,sigs.k8s.io/controller-tools/cmd/controller-gen)

$(LOCALBIN)/kustomize: $(TOOLS_MAIN) | $(LOCALBIN)
	$(call build-tool,.,sigs.k8s.io/kustomize/kustomize/v5,sigs.k8s.io/kustomize/kustomize/v5)

$(LOCALBIN)/crd-ref-docs: $(TOOLS_MAIN) | $(LOCALBIN)
	$(call build-tool,.,github.com/elastic/crd-ref-docs,github.com/elastic/crd-ref-docs,,-X main.buildVersion=$$version)

$(LOCALBIN)/gotestsum: $(TOOLS_MAIN) | $(LOCALBIN)
	$(call build-tool,.,gotest.tools/gotestsum,gotest.tools/gotestsum)

# golangci-lint with the Kubernetes API linter built in; the version printed is golangci-lint's.
$(LOCALBIN)/golangci-lint: $(TOOLS_LINT) | $(LOCALBIN)
	$(call build-tool,lint,github.com/golangci/golangci-lint/v2,sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter)

# operator-sdk writes its version into the bundle's annotations, so it has to know it.
$(LOCALBIN)/operator-sdk: $(TOOLS_OLM) | $(LOCALBIN)
	$(call build-tool,olm,$(OPERATOR_SDK_MODULE),$(OPERATOR_SDK_MODULE)/cmd/operator-sdk,$(OLM_TAGS),\
	-X $(OPERATOR_SDK_MODULE)/internal/version.Version=$$version \
	-X $(OPERATOR_SDK_MODULE)/internal/version.GitVersion=$$version \
	-X $(OPERATOR_SDK_MODULE)/internal/version.ImageVersion=$$version)

$(LOCALBIN)/scorecard-test: $(TOOLS_OLM) | $(LOCALBIN)
	$(call build-tool,olm,$(OPERATOR_SDK_MODULE),$(OPERATOR_SDK_MODULE)/images/scorecard-test,$(OLM_TAGS))

$(LOCALBIN)/opm: $(TOOLS_OLM) | $(LOCALBIN)
	$(call build-tool,olm,$(OPM_MODULE),$(OPM_MODULE)/cmd/opm,$(OLM_TAGS),\
	-X $(OPM_MODULE)/cmd/opm/version.opmVersion=$$version)

$(LOCALBIN)/olm: $(TOOLS_OLM) | $(LOCALBIN)
	$(call build-tool,olm,$(OLM_MODULE),$(OLM_MODULE)/cmd/olm,$(OLM_TAGS))

$(LOCALBIN)/olm-catalog: $(TOOLS_OLM) | $(LOCALBIN)
	$(call build-tool,olm,$(OLM_MODULE),$(OLM_MODULE)/cmd/catalog,$(OLM_TAGS))

$(LOCALBIN)/promtool: $(TOOLS_PROM) | $(LOCALBIN)
	$(call build-tool,promtool,github.com/prometheus/prometheus,github.com/prometheus/prometheus/cmd/promtool,,\
	-X github.com/prometheus/common/version.Version=$$version)

$(LOCALBIN)/helm: $(TOOLS_HELM) | $(LOCALBIN)
	$(call build-tool,helm,helm.sh/helm/v4,helm.sh/helm/v4/cmd/helm,,\
	-X helm.sh/helm/v4/internal/version.version=$$version)

$(LOCALBIN)/helm3: $(TOOLS_HELM) | $(LOCALBIN)
	$(call build-tool,helm,helm.sh/helm/v3,helm.sh/helm/v3/cmd/helm,,\
	-X helm.sh/helm/v3/internal/version.version=$$version)
