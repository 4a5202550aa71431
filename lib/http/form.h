/* What forms are made of. */
#ifndef LCORE_HTTP_FORM_H
#define LCORE_HTTP_FORM_H

#include "base/buffer.h"
#include "locustcore/form.h"

/* Appends `text` as application/x-www-form-urlencoded has it: a blank becomes '+', all but letters, digits and "_.-~"
 * is percent-encoded. LCE_NOMEM. */
int lc__form_quote(struct lc_buffer *out, struct lc_str text);

#endif
