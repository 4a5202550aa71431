/* Forms, as browsers send them: for logins and uploads. */
#ifndef LOCUSTCORE_FORM_H
#define LOCUSTCORE_FORM_H

#include "locustcore/error.h"
#include "locustcore/http.h"
#include "locustcore/str.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fields in the order in which they were added. Without files the form is sent as application/x-www-form-urlencoded,
 * with files as multipart/form-data (RFC 7578). Any thread may use it, but only one at a time. */
struct lc_form;
/* NULL: out of memory. */
LCORE_API struct lc_form *lc_form_new(void);
LCORE_API void lc_form_free(struct lc_form *form); /* NULL is fine */
/* Copies. LCE_NOMEM: the form is as it was. */
LCORE_API int lc_form_add(struct lc_form *form, struct lc_str name, struct lc_str value);
/* The same with the content of a file. content_type data NULL: application/octet-stream. LCE_FORMAT: the content type
 * could break the framing. */
LCORE_API int lc_form_add_file(struct lc_form *form, struct lc_str name, struct lc_str file_name,
                               struct lc_str content_type, struct lc_str content);
/* Makes the form the body of a request, whose method and the rest are the caller's. It is borrowed: the form must stay
 * as it is until the call is over, and serves any number of calls. */
LCORE_API void lc_form_fill(const struct lc_form *form, struct lc_request *request);

#ifdef __cplusplus
}
#endif
#endif
