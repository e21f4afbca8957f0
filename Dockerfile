# docker build -t cnn .
# docker run -p 8000:8000 cnn
#
# It needs nothing but /tmp to write to, no capability, and no other user than its own:
# docker run -p 8000:8000 --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges cnn

FROM python:3.13-slim-trixie AS build
# Where packages are taken from, if not from PyPI and npm's registry: --build-arg PIP_INDEX_URL=https://MIRROR/simple
ARG PIP_INDEX_URL
ARG npm_config_registry=https://registry.npmjs.org
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY deploy/requirements.txt deploy/build-requirements.txt ./
RUN python3 -m venv --without-pip /opt/penread \
 && pip --python /opt/penread install --require-hashes --only-binary :all: -r requirements.txt \
 && find /opt/penread -type d -name tests -path '*/numpy/*' -prune -exec rm -r {} +
# What builds penread stays in this stage. The build itself asks no index: whatever it needs must be in the file.
RUN python3 -m venv --without-pip /opt/builder \
 && pip --python /opt/builder install --require-hashes --only-binary :all: -r build-requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip --python /opt/builder wheel --no-build-isolation --no-index --no-deps --wheel-dir dist . \
 && pip --python /opt/penread install --no-index --no-deps dist/*.whl
# ONNX Runtime for browsers. Without it all works but reading on the visitor's own device.
RUN PYTHONDONTWRITEBYTECODE=1 /opt/penread/bin/penread runtime || { \
    echo '################################################################################'; \
    echo '# WARNING: no ONNX Runtime for browsers could be fetched from npm. The image is #'; \
    echo '# built without it: its page reads on the server only, not on the device.      #'; \
    echo '# To have both: docker build --build-arg npm_config_registry=https://MIRROR .   #'; \
    echo '################################################################################'; } >&2

FROM python:3.13-slim-trixie
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin penread
COPY --from=build /opt/penread /opt/penread
ENV PATH=/opt/penread/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PENREAD_HOST=0.0.0.0 \
    PENREAD_PORT=8000
# By number: Kubernetes can't tell of a name that it isn't root.
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s CMD ["python3", "-I", "-S", "-c", \
  "import http.client, os, sys; to = http.client.HTTPConnection('127.0.0.1', int(os.environ['PENREAD_PORT']), timeout=2); to.request('GET', '/healthz'); sys.exit(to.getresponse().status != 200)"]
CMD ["penread", "serve"]
