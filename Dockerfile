# The operator's image: one static binary and its license.
#
#   make docker-build IMG=registry.example.com/nsm-operator:v2.0.0
ARG GO_VERSION=1.26

FROM --platform=$BUILDPLATFORM docker.io/library/golang:${GO_VERSION} AS build
WORKDIR /src
# The modules are a layer of their own: it is built again only when they change.
COPY go.mod go.sum ./
RUN go mod download
COPY main.go ./
COPY apis/ apis/
COPY config/crd/ config/crd/
COPY config/webhook/ config/webhook/
COPY controllers/ controllers/
COPY internal/ internal/
COPY webhooks/ webhooks/
# Set by the builder; the binary is for that platform whatever it is built on.
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -trimpath -ldflags "-s -w" -o /manager .

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
