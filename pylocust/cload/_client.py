"""What the C sessions and responses ask Python for: everything about HTTP that is rare, or that is requests' own.

`_cload` looks up by name what is imported here (see embed/helpers.h).
"""

import os
import sys

import _cload
import gevent.queue
import urllib3.connectionpool

from ._call import add_params as add_params
from ._call import basic_auth as basic_auth
from ._call import choose_proxy as choose_proxy
from ._call import dump_fast_json as dump_fast_json
from ._call import dump_json as dump_json
from ._call import encode_fast_form as encode_fast_form
from ._call import encode_form as encode_form
from ._call import find_tls as find_tls
from ._call import parse_json as parse_json
from ._call import url_text as url_text
from ._failure import failure_text as failure_text
from ._failure import is_response_error as is_response_error
from ._failure import outcome_exception as outcome_exception
from ._failure import raise_bad_redirect as raise_bad_redirect
from ._failure import raise_not_catching as raise_not_catching
from ._failure import wrap_failure as wrap_failure
from ._general import request_by_keywords as request_by_keywords
from ._general import request_general as request_general
from ._response import build_attribute as build_attribute
from ._response import decode_json as decode_json
from ._response import decode_text as decode_text
from ._session import close_adapters as close_adapters
from ._session import has_hooks as has_hooks
from ._session import header_pairs as header_pairs
from ._session import is_class_general as is_class_general
from ._session import session_attribute as session_attribute
from ._session import session_defaults as session_defaults
from ._session import session_setup as session_setup
from ._session import tell_of_older_http as tell_of_older_http
from ._session import wrap_cookies as wrap_cookies
from ._session import wrap_headers as wrap_headers

if not (os.getenv("LOCUST_SKIP_MONKEY_PATCH") or os.getenv("LOCUST_SKIP_URLLIB3_PATCH")):
    urllib3.connectionpool.ConnectionPool.QueueCls = gevent.queue.LifoQueue

_cload.set_client_helpers(sys.modules[__name__])
