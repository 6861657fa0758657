# A small TLS client or server on Ruby's OpenSSL, with the options all small programs of the laboratory share.
require "socket"
require "openssl"

role, *words = ARGV
o = words.each_slice(2).to_h { |k, v| [k.delete_prefix("--"), v] }
$stdout.sync = true
names = { "1.0" => OpenSSL::SSL::TLS1_VERSION, "1.1" => OpenSSL::SSL::TLS1_1_VERSION, "1.2" => OpenSSL::SSL::TLS1_2_VERSION, "1.3" => OpenSSL::SSL::TLS1_3_VERSION }
c = OpenSSL::SSL::SSLContext.new
c.min_version = names[o["min"] || "1.2"]
c.max_version = names[o["max"] || "1.3"]
c.ciphers = o["ciphers"] if o["ciphers"]
c.keylog_cb = ->(_, line) { File.write(o["keylog"], line + "\n", mode: "a") } if o["keylog"] && c.respond_to?(:keylog_cb=)
if o["cert"]
  first, *rest = OpenSSL::X509::Certificate.load_file(o["cert"])
  c.add_certificate(first, OpenSSL::PKey.read(File.read(o["key"])), rest)
end
if role == "client"
  c.ca_file = o["ca"] if o["ca"]
  c.verify_mode = o["insecure"] ? OpenSSL::SSL::VERIFY_NONE : OpenSSL::SSL::VERIFY_PEER
  c.alpn_protocols = o["alpn"].split(",") if o["alpn"]
  begin
    s = OpenSSL::SSL::SSLSocket.new(TCPSocket.new(o["address"] || "198.51.100.20", (o["port"] || 443).to_i), c)
    s.sync_close = true
    name = o["sni"] || o["name"] || "server.test"
    s.hostname = name unless name.empty?
    s.connect
    s.post_connection_check(o["name"] || "server.test") unless o["insecure"]
    puts "connected #{s.ssl_version}"
    request = o["request"] || "GET / HTTP/1.0\r\n\r\n"
    unless request.empty?
      s.write(request)
      puts "answer: #{s.gets}"
    end
    s.close
  rescue SystemCallError, OpenSSL::SSL::SSLError, EOFError => e
    puts "error: #{e.message}"
  end
else
  if o["client-ca"]
    c.ca_file = o["client-ca"]
    c.verify_mode = OpenSSL::SSL::VERIFY_PEER | OpenSSL::SSL::VERIFY_FAIL_IF_NO_PEER_CERT
  end
  listener = OpenSSL::SSL::SSLServer.new(TCPServer.new((o["port"] || 443).to_i), c)
  listener.start_immediately = false
  loop do
    s = listener.accept
    Thread.new do
      s.accept
      s.readpartial(4096)
      s.write("HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
      s.close
    rescue SystemCallError, OpenSSL::SSL::SSLError, EOFError => e
      puts "error: #{e.message}"
      s.close
    end
  end
end
