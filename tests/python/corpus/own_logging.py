"""Files that configure logging, patch print, and read options and environment variables at import."""

import builtins
import logging
import os
import sys

from locust import HttpUser, constant, events, task
from locust.exception import StopUser

handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter("> %(levelname)s %(name)s %(message)s"))
logger = logging.getLogger("shop")
logger.addHandler(handler)
logger.setLevel(logging.DEBUG)
logger.propagate = False

original = builtins.print


def quiet(*words, **kwargs):
    original(*words, **{**kwargs, "flush": True})


builtins.print = quiet


@events.init.add_listener
def on_init(environment, **_):
    options = environment.parsed_options
    logger.info("options %s %s %s", options.num_users, options.headless, options.run_time)
    logger.debug("variable %s", os.environ.get("SHOP_COLOUR", "none"))


class Caller(HttpUser):
    wait_time = constant(0)

    @task
    def call(self):
        logger.warning("calling %s", __name__)
        answer = self.client.get("/hello")
        logger.debug("answer %d", answer.status_code)
        print("> module", __file__.rpartition("/")[2], sys.modules[__name__].Caller is Caller)
        try:
            raise LookupError("logged")
        except LookupError:
            logger.error("caught", exc_info=False)
        raise StopUser
