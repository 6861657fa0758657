<?php
// A small TLS client on PHP's streams, with the options all small programs of the laboratory share.
$o = [];
for ($i = 2; $i + 1 < count($argv); $i += 2) $o[substr($argv[$i], 2)] = $argv[$i + 1];
$method = 0;
$names = ["1.0" => STREAM_CRYPTO_METHOD_TLSv1_0_CLIENT, "1.1" => STREAM_CRYPTO_METHOD_TLSv1_1_CLIENT, "1.2" => STREAM_CRYPTO_METHOD_TLSv1_2_CLIENT, "1.3" => STREAM_CRYPTO_METHOD_TLSv1_3_CLIENT];
foreach ($names as $v => $m) if ($v >= ($o["min"] ?? "1.2") && $v <= ($o["max"] ?? "1.3")) $method |= $m;
$ssl = ["peer_name" => $o["name"] ?? "server.test", "crypto_method" => $method, "verify_peer" => !isset($o["insecure"]), "verify_peer_name" => !isset($o["insecure"])];
if (isset($o["ca"])) $ssl["cafile"] = $o["ca"];
if (isset($o["cert"])) { $ssl["local_cert"] = $o["cert"]; $ssl["local_pk"] = $o["key"]; }
if (isset($o["alpn"])) $ssl["alpn_protocols"] = $o["alpn"];
$s = stream_socket_client("tls://" . ($o["address"] ?? "198.51.100.20") . ":" . ($o["port"] ?? 443), $code, $said, 6, STREAM_CLIENT_CONNECT, stream_context_create(["ssl" => $ssl]));
if (!$s) { echo "error: $said\n"; exit(1); }
echo "connected\n";
fwrite($s, "GET / HTTP/1.0\r\n\r\n");
echo "answer: ", fgets($s), "\n";
fclose($s);
