// A small TLS client or server on Node, with the options all small programs of the laboratory share.
"use strict";
const tls = require("tls"), fs = require("fs"), net = require("net");

const role = process.argv[2], o = {};
for (let i = 3; i < process.argv.length; i += 2) o[process.argv[i].slice(2)] = process.argv[i + 1];
const read = (file) => (file ? fs.readFileSync(file) : undefined);

const common = {
  cert: read(o.cert), key: read(o.key),
  minVersion: "TLSv" + (o.min || "1.2").replace("1.0", "1"), maxVersion: "TLSv" + (o.max || "1.3").replace("1.0", "1"),
  ciphers: o.ciphers, ecdhCurve: o.groups, sigalgs: o.sigalgs, ALPNProtocols: o.alpn ? o.alpn.split(",") : undefined,
};
for (const k of Object.keys(common)) if (common[k] === undefined) delete common[k];

if (role === "client") {
  let left = Number(o.connections || 1), session;
  const next = () => {
    const options = Object.assign({}, common, {
      host: o.address || "198.51.100.20", port: Number(o.port || 443), servername: "sni" in o ? o.sni : o.name || "server.test",
      ca: read(o.ca), rejectUnauthorized: !("insecure" in o), session,
    });
    const socket = tls.connect(options, () => {
      console.log("connected", socket.getProtocol(), socket.getCipher().standardName, "resumed=" + socket.isSessionReused());
      const request = "request" in o ? o.request : "GET / HTTP/1.0\r\n\r\n";
      if (o.close === "end") socket.end(request); // asks and closes in one breath
      else if (request) socket.write(request); else socket.destroy(); // as Node does when it rejects a certificate
    });
    if ("keylog" in o) socket.on("keylog", (line) => fs.appendFileSync(o.keylog, line));
    socket.on("session", (s) => { session = s; });
    socket.on("data", (d) => console.log("answer:", d.toString("latin1").split("\n")[0]));
    socket.on("error", (e) => { console.log("error:", e.message, e.code || ""); process.exitCode = 1; });
    socket.on("close", () => { left -= 1; if (left > 0) next(); });
    socket.setTimeout(6000, () => { console.log("error: timeout"); socket.destroy(); });
  };
  next();
} else {
  const options = Object.assign({}, common);
  if (o["client-ca"]) { options.ca = read(o["client-ca"]); options.requestCert = true; options.rejectUnauthorized = (o.verify || "require") === "require"; }
  const server = tls.createServer(options, (socket) => {
    const answer = "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
    socket.on("data", () => {
      if (o.close === "destroy") socket.write(answer, () => socket.destroy()); else socket.end(answer);
    });
    if (o.close === "at-once") socket.end();
    socket.on("error", (e) => console.log("error:", e.message, e.code || ""));
  });
  server.on("tlsClientError", (e) => console.log("error:", e.message, e.code || ""));
  if ("keylog" in o) server.on("keylog", (line) => fs.appendFileSync(o.keylog, line));
  server.listen(Number(o.port || 443), "0.0.0.0");
}
