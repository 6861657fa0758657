/* A small TLS client or server on wolfSSL, with the options all small programs of the laboratory share. */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int argc_;
static char **argv_;

static const char *opt(const char *name, const char *fallback) {
    for (int i = 2; i + 1 < argc_; i += 2)
        if (!strcmp(argv_[i] + 2, name)) return argv_[i + 1];
    return fallback;
}

static int report(WOLFSSL *ssl, const char *where, int code) {
    char text[80] = "";
    int error = ssl ? wolfSSL_get_error(ssl, code) : code;
    wolfSSL_ERR_error_string(error, text);
    printf("error: %s: %s (%d)\n", where, text, error);
    fflush(stdout);
    return 1;
}

static int version(const char *s) {
    return s[2] == '3' ? WOLFSSL_TLSV1_3 : s[2] == '2' ? WOLFSSL_TLSV1_2 : s[2] == '1' ? WOLFSSL_TLSV1_1 : WOLFSSL_TLSV1;
}

int main(int argc, char **argv) {
    argc_ = argc, argv_ = argv;
    int server = !strcmp(argv[1], "server"), code;
    wolfSSL_Init();
    const char *top = opt("max", "1.3");
    WOLFSSL_METHOD *method;
    if (top[2] == '3') method = server ? wolfSSLv23_server_method() : wolfSSLv23_client_method();
    else method = server ? wolfTLSv1_2_server_method() : wolfTLSv1_2_client_method();
    if (!strcmp(opt("min", "1.2"), "1.3")) method = server ? wolfTLSv1_3_server_method() : wolfTLSv1_3_client_method();
    WOLFSSL_CTX *context = wolfSSL_CTX_new(method);
    wolfSSL_CTX_SetMinVersion(context, version(opt("min", "1.2")));
    const char *anchor = opt(server ? "client-ca" : "ca", NULL);
    if (anchor) {
        if ((code = wolfSSL_CTX_load_verify_locations(context, anchor, NULL)) != WOLFSSL_SUCCESS) return report(NULL, "ca", code);
        wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (!anchor || opt("insecure", NULL)) wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_NONE, NULL);
    if (opt("cert", NULL)) {
        if ((code = wolfSSL_CTX_use_certificate_chain_file(context, opt("cert", ""))) != WOLFSSL_SUCCESS) return report(NULL, "certificate", code);
        if ((code = wolfSSL_CTX_use_PrivateKey_file(context, opt("key", ""), WOLFSSL_FILETYPE_PEM)) != WOLFSSL_SUCCESS) return report(NULL, "key", code);
    }
    if (opt("ciphers", NULL) && wolfSSL_CTX_set_cipher_list(context, opt("ciphers", "")) != WOLFSSL_SUCCESS) return report(NULL, "ciphers", -1);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(opt("port", "443")))};
    inet_pton(AF_INET, server ? "0.0.0.0" : opt("address", "198.51.100.20"), &at.sin_addr);
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (server && (bind(listener, (void *)&at, sizeof at) || listen(listener, 5))) return 1;
    int times = server ? 1000 : atoi(opt("connections", "1"));
    WOLFSSL_SESSION *session = NULL;
    for (int i = 0; i < times; i++) {
        int fd = server ? accept(listener, NULL, NULL) : socket(AF_INET, SOCK_STREAM, 0);
        struct timeval patience = {6, 0};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (!server && connect(fd, (void *)&at, sizeof at)) { perror("error: connect"); return 1; }
        WOLFSSL *ssl = wolfSSL_new(context);
        wolfSSL_set_fd(ssl, fd);
        if (!server) {
            const char *name = opt("name", "server.test");
            wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, name, strlen(name));
            if (!opt("insecure", NULL)) wolfSSL_check_domain_name(ssl, name);
            if (opt("alpn", NULL)) wolfSSL_UseALPN(ssl, (char *)opt("alpn", ""), strlen(opt("alpn", "")), WOLFSSL_ALPN_FAILED_ON_MISMATCH);
            if (session) wolfSSL_set_session(ssl, session);
        }
        code = server ? wolfSSL_accept(ssl) : wolfSSL_connect(ssl);
        if (code != WOLFSSL_SUCCESS) {
            report(ssl, "handshake", code);
        } else {
            char buffer[4096];
            printf("connected %s %s\n", wolfSSL_get_version(ssl), wolfSSL_get_cipher(ssl));
            const char *request = opt("request", "GET / HTTP/1.0\r\n\r\n"), *answer = "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
            if (!server) wolfSSL_write(ssl, request, strlen(request));
            code = wolfSSL_read(ssl, buffer, sizeof buffer);
            if (code <= 0) report(ssl, "read", code);
            else if (server) wolfSSL_write(ssl, answer, strlen(answer));
            if (!server) session = wolfSSL_get1_session(ssl);
            wolfSSL_shutdown(ssl);
        }
        fflush(stdout);
        wolfSSL_free(ssl);
        close(fd);
        if (!server && code <= 0) return 1;
    }
    return 0;
}
