"""A gRPC client or server, whose TLS is BoringSSL, with the options all small programs of the laboratory share."""

from __future__ import annotations

import sys
from concurrent import futures
from pathlib import Path

import grpc


def read(o: dict[str, str], key: str) -> bytes | None:
    return Path(o[key]).read_bytes() if key in o else None


def client(o: dict[str, str]) -> None:
    credentials = grpc.ssl_channel_credentials(read(o, "ca"), read(o, "key"), read(o, "cert"))
    target = f"{o.get('address', '198.51.100.20')}:{o.get('port', '443')}"
    settings = [
        ("grpc.ssl_target_name_override", o.get("name", "server.test")),
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", 20000),
    ]
    with grpc.secure_channel(target, credentials, settings) as channel:
        for _ in range(int(o.get("connections", "1"))):
            try:
                print("answer:", channel.unary_unary("/lab.Lab/Ask")(b"hello", timeout=5), flush=True)
            except grpc.RpcError as problem:
                print("error:", problem.code().name, problem.details(), flush=True)


class Answers(grpc.GenericRpcHandler):
    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"hello")


def server(o: dict[str, str]) -> None:
    pair = [(read(o, "key"), read(o, "cert"))]
    credentials = grpc.ssl_server_credentials(pair, read(o, "client-ca"), "client-ca" in o and o.get("verify", "require") == "require")
    one = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Answers()], options=[("grpc.so_reuseport", 0)])
    one.add_secure_port(f"0.0.0.0:{o.get('port', '443')}", credentials)
    one.start()
    one.wait_for_termination()


if __name__ == "__main__":
    words = sys.argv[2:]
    given = {words[i][2:]: words[i + 1] for i in range(0, len(words) - 1, 2)}
    (client if sys.argv[1] == "client" else server)(given)
