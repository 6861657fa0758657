/* A small TLS client or server on mbedTLS 2.28, with the options all small programs of the laboratory share. */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int argc_;
static char **argv_;

static const char *opt(const char *name, const char *fallback) {
    for (int i = 2; i + 1 < argc_; i += 2)
        if (!strcmp(argv_[i] + 2, name)) return argv_[i + 1];
    return fallback;
}

static int report(const char *where, int code) {
    char text[160];
    mbedtls_strerror(code, text, sizeof text);
    printf("error: %s: %s (-0x%04x)\n", where, text, -code);
    fflush(stdout);
    return 1;
}

static int minor(const char *s) { return s[2] - '0' + 1; } /* 1.0 is 3.1 */

int main(int argc, char **argv) {
    argc_ = argc, argv_ = argv;
    int server = !strcmp(argv[1], "server"), code;
    mbedtls_net_context listener, net;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    mbedtls_x509_crt ca, cert;
    mbedtls_pk_context key;
    static int suites[32];
    static const char *alpn[8];
    mbedtls_net_init(&listener), mbedtls_net_init(&net), mbedtls_entropy_init(&entropy), mbedtls_ctr_drbg_init(&random);
    mbedtls_ssl_config_init(&config), mbedtls_x509_crt_init(&ca), mbedtls_x509_crt_init(&cert), mbedtls_pk_init(&key);
    mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, (const unsigned char *)"lab", 3);
    mbedtls_ssl_config_defaults(&config, server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
    mbedtls_ssl_conf_min_version(&config, 3, minor(opt("min", "1.2")));
    mbedtls_ssl_conf_max_version(&config, 3, minor(opt("max", "1.2")) > 3 ? 3 : minor(opt("max", "1.2")));
    const char *anchor = opt(server ? "client-ca" : "ca", NULL);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
    if (anchor) {
        if ((code = mbedtls_x509_crt_parse_file(&ca, anchor))) return report("ca", code);
        mbedtls_ssl_conf_ca_chain(&config, &ca, NULL);
        mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    }
    if (opt("insecure", NULL)) mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
    if (opt("cert", NULL)) {
        if ((code = mbedtls_x509_crt_parse_file(&cert, opt("cert", "")))) return report("certificate", code);
        if ((code = mbedtls_pk_parse_keyfile(&key, opt("key", ""), NULL))) return report("key", code);
        mbedtls_ssl_conf_own_cert(&config, &cert, &key);
    }
    if (opt("ciphers", NULL)) {
        char *copy = strdup(opt("ciphers", "")), *name = strtok(copy, ":");
        for (int n = 0; name && n < 31; name = strtok(NULL, ":")) suites[n++] = mbedtls_ssl_get_ciphersuite_id(name);
        mbedtls_ssl_conf_ciphersuites(&config, suites);
    }
    if (opt("alpn", NULL)) {
        char *copy = strdup(opt("alpn", "")), *name = strtok(copy, ",");
        for (int n = 0; name && n < 7; name = strtok(NULL, ",")) alpn[n++] = name;
        mbedtls_ssl_conf_alpn_protocols(&config, alpn);
    }
    if (opt("psk", NULL)) {
        unsigned char secret[32];
        const char *hex = opt("psk", "");
        size_t size = strlen(hex) / 2;
        for (size_t i = 0; i < size && i < 32; i++) sscanf(hex + 2 * i, "%2hhx", &secret[i]);
        const char *identity = opt("psk-identity", "device-1");
        mbedtls_ssl_conf_psk(&config, secret, size, (const unsigned char *)identity, strlen(identity));
    }
    if (server && (code = mbedtls_net_bind(&listener, NULL, opt("port", "443"), MBEDTLS_NET_PROTO_TCP))) return report("bind", code);
    int times = server ? 1000 : atoi(opt("connections", "1"));
    mbedtls_ssl_session session;
    mbedtls_ssl_session_init(&session);
    for (int i = 0; i < times; i++) {
        mbedtls_ssl_init(&ssl);
        if ((code = mbedtls_ssl_setup(&ssl, &config))) return report("setup", code);
        if (server) {
            if ((code = mbedtls_net_accept(&listener, &net, NULL, 0, NULL))) return report("accept", code);
        } else {
            if ((code = mbedtls_net_connect(&net, opt("address", "198.51.100.20"), opt("port", "443"), MBEDTLS_NET_PROTO_TCP))) return report("connect", code);
            mbedtls_ssl_set_hostname(&ssl, opt("name", "server.test"));
            if (i) mbedtls_ssl_set_session(&ssl, &session);
        }
        mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, mbedtls_net_recv_timeout);
        mbedtls_ssl_conf_read_timeout(&config, 6000);
        while ((code = mbedtls_ssl_handshake(&ssl)) == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) {}
        if (code) {
            report("handshake", code);
        } else {
            unsigned char buffer[4096];
            printf("connected %s %s\n", mbedtls_ssl_get_version(&ssl), mbedtls_ssl_get_ciphersuite(&ssl));
            if (server) {
                code = mbedtls_ssl_read(&ssl, buffer, sizeof buffer);
                const char *answer = "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
                if (code > 0) mbedtls_ssl_write(&ssl, (const unsigned char *)answer, strlen(answer));
                else report("read", code);
            } else {
                const char *request = opt("request", "GET / HTTP/1.0\r\n\r\n");
                mbedtls_ssl_write(&ssl, (const unsigned char *)request, strlen(request));
                code = mbedtls_ssl_read(&ssl, buffer, sizeof buffer);
                if (code < 0) report("read", code);
                mbedtls_ssl_get_session(&ssl, &session);
            }
            mbedtls_ssl_close_notify(&ssl);
        }
        fflush(stdout);
        mbedtls_net_free(&net);
        mbedtls_ssl_free(&ssl);
        if (!server && code < 0) return 1;
    }
    return 0;
}
