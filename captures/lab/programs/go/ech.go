//go:build ignore

// A TLS client or server with Encrypted Client Hello, which Go has since 1.24: the key is made from a seed, so that both may agree or not.
package main

import (
	"crypto/ecdh"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

var (
	address = flag.String("address", "198.51.100.20", "")
	port    = flag.String("port", "443", "")
	name    = flag.String("name", "server.test", "the name inside")
	public  = flag.String("public", "server.test", "the name outside")
	seed    = flag.String("seed", "one", "client: of the key it has; server: of the key it has")
	ca      = flag.String("ca", "", "")
	cert    = flag.String("cert", "", "")
	key     = flag.String("key", "", "")
	keylog  = flag.String("keylog", "", "")
)

func pair() (*ecdh.PrivateKey, []byte) {
	sum := sha256.Sum256([]byte(*seed))
	private, err := ecdh.X25519().NewPrivateKey(sum[:])
	if err != nil {
		panic(err)
	}
	public16 := func(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }
	body := []byte{sum[0], 0, 0x20}
	body = append(body, public16(private.PublicKey().Bytes())...)
	body = append(body, public16([]byte{0, 1, 0, 1})...)
	body = append(body, 32, byte(len(*public)))
	body = append(body, *public...)
	body = append(body, 0, 0)
	return private, append([]byte{0xfe, 0x0d}, public16(body)...)
}

func main() {
	role := os.Args[1]
	flag.CommandLine.Parse(os.Args[2:])
	private, config := pair()
	c := &tls.Config{ServerName: *name}
	if *keylog != "" {
		f, err := os.OpenFile(*keylog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		c.KeyLogWriter = f
	}
	if role == "client" {
		pem, _ := os.ReadFile(*ca)
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM(pem)
		c.EncryptedClientHelloConfigList = append(binary.BigEndian.AppendUint16(nil, uint16(len(config))), config...)
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 6 * time.Second}, "tcp", net.JoinHostPort(*address, *port), c)
		if err != nil {
			var rejected *tls.ECHRejectionError
			fmt.Println("error:", err, "retry configs:", errors.As(err, &rejected) && len(rejected.RetryConfigList) > 0)
			os.Exit(1)
		}
		fmt.Println("connected, ECH accepted:", conn.ConnectionState().ECHAccepted)
		io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		io.ReadAll(conn)
		return
	}
	both, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		panic(err)
	}
	c.Certificates = []tls.Certificate{both}
	c.EncryptedClientHelloKeys = []tls.EncryptedClientHelloKey{{Config: config, PrivateKey: private.Bytes(), SendAsRetry: true}}
	listener, err := tls.Listen("tcp", ":"+*port, c)
	if err != nil {
		panic(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer conn.Close()
			if _, err := conn.Read(make([]byte, 4096)); err != nil {
				fmt.Println("error:", err)
				return
			}
			io.WriteString(conn, "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
		}()
	}
}
