import java.io.*;
import java.net.*;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.util.*;
import javax.net.ssl.*;

/** A small TLS client or server on JSSE, with the options all small programs of the laboratory share. */
public class Tls {
    static Map<String, String> o = new HashMap<>();

    static String get(String k, String d) { return o.getOrDefault(k, d); }

    static String[] versions() {
        List<String> all = List.of("1.0", "1.1", "1.2", "1.3");
        List<String> out = new ArrayList<>();
        for (int i = all.indexOf(get("min", "1.2")); i <= all.indexOf(get("max", "1.3")); i++)
            out.add(i == 0 ? "TLSv1" : "TLSv" + all.get(i));
        return out.toArray(new String[0]);
    }

    static SSLContext context() throws Exception {
        boolean bouncy = o.containsKey("bouncy"); // Bouncy Castle's TLS in the place of Java's own
        if (bouncy) {
            for (String name : List.of("org.bouncycastle.jce.provider.BouncyCastleProvider", "org.bouncycastle.jsse.provider.BouncyCastleJsseProvider"))
                java.security.Security.addProvider((java.security.Provider) Class.forName(name).getDeclaredConstructor().newInstance());
        }
        char[] password = "handshake".toCharArray();
        KeyManager[] keys = null;
        if (o.containsKey("p12")) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            try (InputStream in = new FileInputStream(get("p12", ""))) { store.load(in, password); }
            KeyManagerFactory factory = bouncy ? KeyManagerFactory.getInstance("PKIX", "BCJSSE") : KeyManagerFactory.getInstance("SunX509");
            factory.init(store, password);
            keys = factory.getKeyManagers();
        }
        TrustManager[] trust = null;
        String file = get("trust", null);
        if (o.containsKey("insecure")) {
            trust = new TrustManager[] {new X509ExtendedTrustManager() {
                public void checkClientTrusted(java.security.cert.X509Certificate[] c, String a) {}
                public void checkServerTrusted(java.security.cert.X509Certificate[] c, String a) {}
                public void checkClientTrusted(java.security.cert.X509Certificate[] c, String a, Socket s) {}
                public void checkServerTrusted(java.security.cert.X509Certificate[] c, String a, Socket s) {}
                public void checkClientTrusted(java.security.cert.X509Certificate[] c, String a, SSLEngine e) {}
                public void checkServerTrusted(java.security.cert.X509Certificate[] c, String a, SSLEngine e) {}
                public java.security.cert.X509Certificate[] getAcceptedIssuers() { return new java.security.cert.X509Certificate[0]; }
            }};
        } else if (file != null) {
            KeyStore store = KeyStore.getInstance("JKS");
            try (InputStream in = new FileInputStream(file)) { store.load(in, password); }
            TrustManagerFactory factory = bouncy ? TrustManagerFactory.getInstance("PKIX", "BCJSSE") : TrustManagerFactory.getInstance("PKIX");
            factory.init(store);
            trust = factory.getTrustManagers();
        }
        SSLContext context = bouncy ? SSLContext.getInstance("TLS", "BCJSSE") : SSLContext.getInstance("TLS");
        context.init(keys, trust, null);
        return context;
    }

    static void client(SSLContext context) throws Exception {
        int times = Integer.parseInt(get("connections", "1"));
        for (int i = 0; i < times; i++) {
            Socket raw = new Socket();
            raw.connect(new InetSocketAddress(get("address", "198.51.100.20"), Integer.parseInt(get("port", "443"))), 6000);
            raw.setSoTimeout(6000);
            SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(raw, get("name", "server.test"), 443, true);
            SSLParameters p = socket.getSSLParameters();
            p.setProtocols(versions());
            if (o.containsKey("ciphers")) p.setCipherSuites(get("ciphers", "").split(":"));
            if (o.containsKey("alpn")) p.setApplicationProtocols(get("alpn", "").split(","));
            if (!o.containsKey("insecure")) p.setEndpointIdentificationAlgorithm("HTTPS");
            if (o.containsKey("sni")) p.setServerNames(get("sni", "").isEmpty() ? List.of() : List.of(new SNIHostName(get("sni", ""))));
            socket.setSSLParameters(p);
            socket.startHandshake();
            System.out.println("connected " + socket.getSession().getProtocol() + " " + socket.getSession().getCipherSuite());
            String request = get("request", "GET / HTTP/1.0\r\n\r\n");
            if (!request.isEmpty()) {
                socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
                byte[] answer = socket.getInputStream().readAllBytes();
                System.out.println("answer: " + new String(answer, StandardCharsets.ISO_8859_1).split("\n")[0]);
            }
            socket.close();
        }
    }

    static void server(SSLContext context) throws Exception {
        SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(Integer.parseInt(get("port", "443")));
        SSLParameters p = listener.getSSLParameters();
        p.setProtocols(versions());
        if (o.containsKey("ciphers")) p.setCipherSuites(get("ciphers", "").split(":"));
        if (o.containsKey("alpn")) p.setApplicationProtocols(get("alpn", "").split(","));
        if (o.containsKey("client-ca")) {
            if (get("verify", "require").equals("request")) p.setWantClientAuth(true); else p.setNeedClientAuth(true);
        }
        listener.setSSLParameters(p);
        while (true) {
            SSLSocket socket = (SSLSocket) listener.accept();
            new Thread(() -> {
                try (socket) {
                    byte[] buffer = new byte[4096];
                    if (socket.getInputStream().read(buffer) < 0) return;
                    socket.getOutputStream().write("HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n".getBytes());
                    socket.getOutputStream().flush();
                } catch (IOException e) {
                    System.out.println("error: " + e);
                }
            }).start();
        }
    }

    public static void main(String[] args) throws Exception {
        for (int i = 1; i < args.length; i += 2) o.put(args[i].substring(2), args[i + 1]);
        if (o.containsKey("groups")) System.setProperty("jdk.tls.namedGroups", get("groups", "").replace(":", ","));
        if (o.containsKey("sigalgs"))
            System.setProperty(args[0].equals("client") ? "jdk.tls.client.SignatureSchemes" : "jdk.tls.server.SignatureSchemes", get("sigalgs", "").replace(":", ","));
        try {
            if (args[0].equals("client")) client(context()); else server(context());
        } catch (IOException e) {
            System.out.println("error: " + e);
            System.exit(1);
        }
    }
}
