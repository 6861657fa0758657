// A small TLS client or server on Go's crypto/tls, with the options all small programs of the laboratory share.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

var (
	address     = flag.String("address", "198.51.100.20", "")
	port        = flag.String("port", "443", "")
	name        = flag.String("name", "server.test", "the name to verify")
	sni         = flag.String("sni", "", "ignored: Go sends the name it verifies")
	ca          = flag.String("ca", "", "")
	cert        = flag.String("cert", "", "")
	key         = flag.String("key", "", "")
	min         = flag.String("min", "1.2", "")
	max         = flag.String("max", "1.3", "")
	ciphers     = flag.String("ciphers", "", "names, with colons between")
	groups      = flag.String("groups", "", "X25519:P-256:P-384:P-521")
	sigalgs     = flag.String("sigalgs", "", "ignored")
	alpn        = flag.String("alpn", "", "")
	clientCA    = flag.String("client-ca", "", "")
	verify      = flag.String("verify", "require", "")
	keylog      = flag.String("keylog", "", "")
	request     = flag.String("request", "GET / HTTP/1.0\r\n\r\n", "")
	connections = flag.Int("connections", 1, "")
	insecure    = flag.Bool("insecure", false, "")
	timeout     = flag.Float64("timeout", 6, "")
	only        = flag.String("only-name", "", "server: answer no other name")
	useHTTP     = flag.Bool("http", false, "server: net/http in front")
	reneg       = flag.Bool("renegotiate", false, "client: allow renegotiation")
	slow        = flag.Float64("slow", 0, "server: seconds to think about the certificate")
)

func version(s string) uint16 {
	return map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[s]
}

func pool(file string) *x509.CertPool {
	p := x509.NewCertPool()
	pem, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	p.AppendCertsFromPEM(pem)
	return p
}

func config(role string) *tls.Config {
	c := &tls.Config{MinVersion: version(*min), MaxVersion: version(*max), ServerName: *name, InsecureSkipVerify: *insecure}
	if *ca != "" {
		c.RootCAs = pool(*ca)
	}
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			// a pair that does not fit together is wanted in one case: load the key on its own
			panic(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if *ciphers != "" {
		known := map[string]uint16{}
		for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			known[s.Name] = s.ID
		}
		for _, s := range strings.Split(*ciphers, ":") {
			c.CipherSuites = append(c.CipherSuites, known[s])
		}
	}
	if *groups != "" {
		known := map[string]tls.CurveID{"X25519": tls.X25519, "P-256": tls.CurveP256, "P-384": tls.CurveP384, "P-521": tls.CurveP521}
		for _, s := range strings.Split(*groups, ":") {
			c.CurvePreferences = append(c.CurvePreferences, known[s])
		}
	}
	if *alpn != "" {
		c.NextProtos = strings.Split(*alpn, ",")
	}
	if *clientCA != "" {
		c.ClientCAs = pool(*clientCA)
		c.ClientAuth = tls.RequireAndVerifyClientCert
		if *verify == "request" {
			c.ClientAuth = tls.VerifyClientCertIfGiven
		}
	}
	if *reneg {
		c.Renegotiation = tls.RenegotiateFreelyAsClient
	}
	if *keylog != "" {
		f, err := os.OpenFile(*keylog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		c.KeyLogWriter = f
	}
	if *only != "" || *slow > 0 {
		pair := c.Certificates
		c.Certificates = nil
		c.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			time.Sleep(time.Duration(*slow * float64(time.Second)))
			if *only != "" && h.ServerName != *only {
				return nil, errors.New("no certificate for " + h.ServerName)
			}
			return &pair[0], nil
		}
	}
	return c
}

func client() {
	c := config("client")
	c.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for i := 0; i < *connections; i++ {
		d := &net.Dialer{Timeout: time.Duration(*timeout * float64(time.Second))}
		conn, err := tls.DialWithDialer(d, "tcp", net.JoinHostPort(*address, *port), c)
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		state := conn.ConnectionState()
		fmt.Printf("connected %x %s resumed=%v\n", state.Version, tls.CipherSuiteName(state.CipherSuite), state.DidResume)
		conn.SetDeadline(time.Now().Add(time.Duration(*timeout * float64(time.Second))))
		if *request != "" {
			io.WriteString(conn, *request)
			answer, err := io.ReadAll(conn)
			if err != nil {
				fmt.Println("error:", err)
				os.Exit(1)
			}
			fmt.Println("answer:", strings.SplitN(string(answer), "\n", 2)[0])
		}
		conn.Close()
	}
}

func server() {
	c := config("server")
	listener, err := net.Listen("tcp", ":"+*port)
	if err != nil {
		panic(err)
	}
	if *useHTTP {
		http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello\n") })
		s := &http.Server{TLSConfig: c}
		fmt.Println(s.ServeTLS(listener, "", ""))
		return
	}
	for {
		raw, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			conn := tls.Server(raw, c)
			defer conn.Close()
			if err := conn.Handshake(); err != nil {
				fmt.Println("error:", err)
				return
			}
			buffer := make([]byte, 4096)
			if _, err := conn.Read(buffer); err != nil {
				fmt.Println("error:", err)
				return
			}
			io.WriteString(conn, "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
		}()
	}
}

func main() {
	role := os.Args[1]
	flag.CommandLine.Parse(os.Args[2:])
	if role == "client" {
		client()
	} else {
		server()
	}
}
