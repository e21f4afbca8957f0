# docker build -t cnn .
# docker run -p 8000:8000 cnn

FROM python:3.13-slim-trixie AS build
WORKDIR /build
RUN python3 -m venv --without-pip /opt/penread
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN pip --python /opt/penread install --no-cache-dir --disable-pip-version-check --constraint constraints.txt . \
 && find /opt/penread -type d -name tests -path '*/numpy/*' -prune -exec rm -r {} +
# ONNX Runtime for browsers. Without it all works but reading on the visitor's own device.
ARG npm_config_registry=https://registry.npmjs.org
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
USER penread
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s CMD ["python3", "-c", \
  "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['PENREAD_PORT']}/healthz\", timeout=2)"]
CMD ["penread", "serve"]
