# The catalog's image: opm, and what `make catalog` made.
#
#   make catalog-build CATALOG_IMG=registry.example.com/nsm-operator-catalog:v2.0.0
FROM quay.io/operator-framework/opm:v1.73.0
COPY dist/catalog /configs
# The cache is part of the image, so that it serves at once.
RUN ["/bin/opm", "serve", "/configs", "--cache-dir=/tmp/cache", "--cache-only"]
LABEL operators.operatorframework.io.index.configs.v1=/configs
ENTRYPOINT ["/bin/opm"]
CMD ["serve", "/configs", "--cache-dir=/tmp/cache"]
