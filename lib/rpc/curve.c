#include "rpc/curve.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <zmq.h>

#define KEY_BYTES 32
#define KEY_TEXT_SIZE 41
/* scrypt's usual cost for interactive use: 32 MB. */
#define COST_N 32768
#define COST_R 8
#define COST_P 1
#define COST_BYTES (64u << 20)

static int
fail(struct lc_error *error)
{
    return lc_error_set(error, LCE_SYSTEM, "encryption: %s", zmq_strerror(zmq_errno()));
}

int
lc__curve_set_up(void *socket, const char *secret, bool is_server, struct lc_error *error)
{
    if (!zmq_has("curve")) {
        return lc_error_set(error, LCE_UNSUPPORTED, "a secret needs a libzmq that was built with libsodium");
    }
    static const char salt[] = "cload master 1";
    unsigned char key[KEY_BYTES];
    if (EVP_PBE_scrypt(secret, strlen(secret), (const unsigned char *)salt, sizeof(salt) - 1, COST_N, COST_R, COST_P,
                       COST_BYTES, key, sizeof(key)) != 1) {
        return lc_error_set(error, LCE_NOMEM, "encryption: no key could be made of the secret");
    }
    char own[KEY_TEXT_SIZE], server_public[KEY_TEXT_SIZE], own_public[KEY_TEXT_SIZE];
    zmq_z85_encode(own, key, sizeof(key));
    int err = zmq_curve_public(server_public, own) < 0 ? fail(error) : 0;
    int on = 1;
    if (err == 0 && is_server) {
        err = zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &on, sizeof(on)) < 0 ||
                      zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, key, sizeof(key)) < 0
                  ? fail(error)
                  : 0;
    } else if (err == 0) {
        err = zmq_curve_keypair(own_public, own) < 0 ||
                      zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_public, sizeof(server_public)) < 0 ||
                      zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, own_public, sizeof(own_public)) < 0 ||
                      zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own, sizeof(own)) < 0
                  ? fail(error)
                  : 0;
    }
    OPENSSL_cleanse(key, sizeof(key));
    OPENSSL_cleanse(own, sizeof(own));
    return err;
}
