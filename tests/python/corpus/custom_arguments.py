"""Options of the file's own."""

from locust import HttpUser, constant, events, task
from locust.exception import StopUser


@events.init_command_line_parser.add_listener
def add_options(parser):
    group = parser.add_argument_group("shop", "Options of the shop")
    group.add_argument("--shop-path", type=str, env_var="SHOP_PATH", default="/hello", help="page to get")
    group.add_argument("--shop-count", type=int, default=1)
    parser.add_argument("--shop-secret", is_secret=True, default="hidden")
    parser.add_argument("--shop-mode", choices=["a", "b"], default="a")
    parser.add_argument("--shop-hidden", include_in_web_ui=False, default="x")
    parser.add_argument("--shop-flag", action="store_true")


@events.test_start.add_listener
def show(environment, **kwargs):
    options = environment.parsed_options
    print(">", options.shop_path, options.shop_count, options.shop_secret, options.shop_mode, options.shop_flag)


class Shopper(HttpUser):
    wait_time = constant(0)

    @task
    def get(self):
        options = self.environment.parsed_options
        for _ in range(options.shop_count):
            self.client.get(options.shop_path)
        raise StopUser
