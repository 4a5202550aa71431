/* Certificates for tests, made on the spot. */
#ifndef TESTS_UNIT_HTTP_CERTIFICATE_H
#define TESTS_UNIT_HTTP_CERTIFICATE_H

#include <openssl/ssl.h>

/* A server's TLS options with a self-signed certificate for these names ("DNS:localhost,IP:127.0.0.1"), whose PEM is
 * written to cert_path, and its key to key_path unless that is NULL. */
SSL_CTX *certificate_make(const char *names, const char *cert_path, const char *key_path);

#endif
