# The operator's image: one static binary and its license. And that of must-gather.
#
#   make docker-build IMG=registry.example.com/nsm-operator:v2.0.0
#   make must-gather-build MUST_GATHER_IMG=registry.example.com/nsm-operator-must-gather:v2.0.0
ARG GO_VERSION=1.26

FROM --platform=$BUILDPLATFORM docker.io/library/golang:${GO_VERSION} AS build
WORKDIR /src
# The modules are a layer of their own: it is built again only when they change.
COPY go.mod go.sum ./
RUN go mod download
COPY main.go ./
COPY apis/ apis/
COPY config/crd/ config/crd/
COPY config/prometheus/ config/prometheus/
COPY config/samples/ config/samples/
COPY config/webhook/ config/webhook/
COPY controllers/ controllers/
COPY internal/ internal/
COPY webhooks/ webhooks/
# Set by the builder; the binary is for that platform whatever it is built on.
ARG TARGETOS
ARG TARGETARCH
ARG VERSION
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -trimpath -tags grpcnotrace -ldflags "-s -w -X main.version=${VERSION:+v$VERSION}" -o /manager .

FROM build AS build-plugin
COPY cmd/ cmd/
ARG TARGETOS
ARG TARGETARCH
ARG VERSION
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -trimpath -ldflags "-s -w -X main.version=v${VERSION}" -o /kubectl-nsm ./cmd/kubectl-nsm

# oc runs bash in it, and asks for coreutils, awk, pkill, and rsync or tar.
FROM registry.access.redhat.com/ubi9/ubi:9.8 AS must-gather
ARG VERSION
LABEL org.opencontainers.image.title="nsm-operator-must-gather" \
      org.opencontainers.image.description="Support data of Network Service Mesh, for oc adm must-gather" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.source="https://github.com/networkservicemesh/nsm-operator" \
      org.opencontainers.image.vendor="Network Service Mesh" \
      org.opencontainers.image.licenses="Apache-2.0"
# Its own coreutils-single stands for coreutils, which dnf refuses to install beside it.
RUN dnf install -y --setopt=install_weak_deps=0 bash gawk gzip procps-ng rsync tar && dnf clean all \
 && for program in awk bash cat df du gzip mkdir pkill rsync sleep sync tar; do command -v $program || exit 1; done
ENV VERSION=v${VERSION}
COPY LICENSE /licenses/LICENSE
COPY --from=build-plugin /kubectl-nsm /usr/bin/kubectl-nsm
COPY config/must-gather/gather /usr/bin/gather
ENTRYPOINT ["/usr/bin/gather"]

# The operator's: the last one, which is built where no other is asked for.
FROM scratch
ARG VERSION
LABEL org.opencontainers.image.title="nsm-operator" \
      org.opencontainers.image.description="Kubernetes operator for Network Service Mesh" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.source="https://github.com/networkservicemesh/nsm-operator" \
      org.opencontainers.image.vendor="Network Service Mesh" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY LICENSE /licenses/LICENSE
COPY --from=build /manager /manager
USER 65532:65532
ENTRYPOINT ["/manager"]
