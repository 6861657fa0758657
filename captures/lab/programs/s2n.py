"""An HTTP client on awscrt, whose TLS is s2n, with the options all small programs of the laboratory share.

After any error s2n waits for 10 to 30 seconds before it closes, so that nobody can time what it did.
"""

from __future__ import annotations

import sys
from pathlib import Path

from awscrt import http, io

words = sys.argv[2:]
o = {words[i][2:]: words[i + 1] for i in range(0, len(words) - 1, 2)}
group = io.EventLoopGroup(1)
bootstrap = io.ClientBootstrap(group, io.DefaultHostResolver(group))
options = io.TlsContextOptions.create_client_with_mtls_from_path(o["cert"], o["key"]) if "cert" in o else io.TlsContextOptions()
if "insecure" in o:
    options.verify_peer = False
elif "ca" in o:
    options.override_default_trust_store(Path(o["ca"]).read_bytes())
options.min_tls_ver = io.TlsVersion.TLSv1_3 if o.get("min") == "1.3" else io.TlsVersion.TLSv1_2
if "alpn" in o:
    options.alpn_list = o["alpn"].split(",")
tls = io.ClientTlsContext(options).new_connection_options()
name = o.get("sni", o.get("name", "server.test"))
if name:
    tls.set_server_name(name)
for _ in range(int(o.get("connections", "1"))):
    try:
        connection = http.HttpClientConnection.new(o.get("address", "198.51.100.20"), int(o.get("port", "443")), bootstrap,
                                                   io.SocketOptions(), tls).result(40)  # fmt: skip
        print("connected", flush=True)
        if o.get("request", "x"):
            request = http.HttpRequest("GET", "/", http.HttpHeaders([("host", name or "server.test")]))
            stream = connection.request(request, lambda http_stream, status_code, headers, **_: print("answer:", status_code, flush=True))
            stream.activate()
            stream.completion_future.result(6)
        connection.close().result(4)
    except Exception as problem:
        print("error:", problem, flush=True)
