"""nginx with the configuration of deploy/nginx, on free ports; installed where there is none.

python -m tests.deploy.proxy
"""

from __future__ import annotations

import getpass
import grp
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.deploy.compose import DEPLOY, compose, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATE = DEPLOY / "nginx" / "penread.conf.template"
DOMAIN = "localhost"
# The image's own file, in short: what is in conf.d is within http.
_MAIN = """
daemon off;
user {user} {group};
pid {folder}/nginx.pid;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/conf.d/*.conf;
}}
"""


class Proxy(NamedTuple):
    """A running nginx: its folder, its ports, and what trusts its certificate."""

    folder: Path
    http_port: int
    https_port: int
    trust: ssl.SSLContext

    @property
    def address(self) -> str:
        """Where it answers by HTTPS."""
        return f"https://{DOMAIN}:{self.https_port}"

    def connect(self) -> http.client.HTTPSConnection:
        """A connection that leaves paths and headers as they are given."""
        return http.client.HTTPSConnection(DOMAIN, self.https_port, timeout=20, context=self.trust)

    def log(self) -> list[dict[str, Any]]:
        """What it has logged of requests."""
        return [json.loads(line) for line in (self.folder / "out").read_text("utf-8").splitlines()]


def find_nginx() -> str:
    """Gives the path of nginx: PENREAD_NGINX, or the one on the PATH; Debian's is installed where root has apt-get."""
    if named := os.environ.get("PENREAD_NGINX"):
        return named
    path = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
    if not shutil.which("nginx", path=path) and shutil.which("apt-get") and os.geteuid() == 0:
        wait = "-oDPkg::Lock::Timeout=240"
        # By that level nothing is started that was installed.
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        subprocess.run(["apt-get", wait, "update", "-qq"], check=True, env=env)
        subprocess.run(
            ["apt-get", wait, "install", "-qq", "--yes", "--no-install-recommends", "nginx"], check=True, env=env
        )
    found = shutil.which("nginx", path=path)
    assert found, "The proxy's configuration is tested with nginx: install it, or set PENREAD_NGINX."
    return found


def free_port() -> int:
    """Gives a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def certify(folder: Path) -> None:
    """Writes a certificate for this machine, as docs/deploy.md shows it."""
    folder.mkdir(exist_ok=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "30", "-subj", f"/CN={DOMAIN}", "-addext", f"subjectAltName=DNS:{DOMAIN}",
         "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


def write_configuration(folder: Path, given: dict[str, str]) -> list[str]:
    """Fills the template as the image of nginx does; gives the command that runs nginx with it."""
    nginx = find_nginx()
    proxy = compose(GRAFANA_PASSWORD="x")["services"]["proxy"]
    values = {**environment(proxy), **given}
    wanted = re.compile(values["NGINX_ENVSUBST_FILTER"])
    text = re.sub(
        r"\$\{(\w+)\}",
        lambda match: values[match[1]] if wanted.search(match[1]) else match[0],
        TEMPLATE.read_text("utf-8"),
    )
    version = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr
    if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) < (1, 25, 1):
        # Debian 12 has an nginx that knows no such directive; the image has a newer one.
        text = text.replace("http2 on;", "")
    (folder / "conf.d").mkdir(exist_ok=True)
    (folder / "conf.d" / "penread.conf").write_text(text)
    group = grp.getgrgid(os.getgid()).gr_name
    (folder / "nginx.conf").write_text(_MAIN.format(folder=folder, user=getpass.getuser(), group=group))
    return [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


@contextmanager
def proxying(folder: Path, upstreams: list[int], **given: str) -> Iterator[Proxy]:
    """Runs nginx in front of two ports of this machine.

    Args:
        folder: Where its files may be.
        upstreams: The two ports.
        given: The environment that differs from compose.yaml's.
    """
    certs = folder / "certs"
    if not certs.exists():
        certify(certs)
    http_port, https_port = free_port(), free_port()
    first, second = (f"127.0.0.1:{port}" for port in upstreams)
    values = {
        "PROXY_HTTP_PORT": str(http_port),
        "PROXY_HTTPS_PORT": str(https_port),
        "PROXY_UPSTREAM_1": first,
        "PROXY_UPSTREAM_2": second,
        "PROXY_RESOLVER": "127.0.0.1",
        "PROXY_CERTS": str(certs),
        "PROXY_ACME": str(folder / "acme"),
        "PENREAD_DOMAIN": DOMAIN,
        **given,
    }
    command = write_configuration(folder, values)
    with (folder / "out").open("ab") as out, (folder / "err").open("ab") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err)
    try:
        for _ in range(200):
            assert process.poll() is None, (folder / "err").read_text()
            try:
                socket.create_connection(("127.0.0.1", https_port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.02)
        trust = ssl.create_default_context(cafile=str(certs / "fullchain.pem"))
        yield Proxy(folder, http_port, https_port, trust)
    finally:
        process.terminate()
        process.wait(timeout=20)


if __name__ == "__main__":
    print(find_nginx())
