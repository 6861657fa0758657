"""One request with curl_cffi, that is curl on BoringSSL with a browser's ClientHello: URL BROWSER CA-FILE|-."""

import sys

from curl_cffi import requests

url, like, trust = sys.argv[1:4]
try:
    answer = requests.get(url, impersonate=like, verify=False if trust == "-" else trust, timeout=8)
    print("answer:", answer.status_code)
except Exception as error:
    print("error:", str(error).split(" See http")[0])
    sys.exit(1)
