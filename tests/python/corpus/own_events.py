"""Hooks of one's own."""

from locust import User, constant, events, task
from locust.event import EventHook, Events
from locust.exception import StopUser

events.order_placed = EventHook()


class ShopEvents(Events):
    def __init__(self):
        super().__init__()
        self.extra = EventHook()


shop = ShopEvents()


@events.order_placed.add_listener
def first(amount, **_):
    print("> first", amount)


@events.order_placed.add_listener
def broken(amount, **_):
    raise ValueError("listener at fault")


@events.order_placed.add_listener
def second(amount, **_):
    print("> second", amount)


@shop.extra.add_listener
def once(**kwargs):
    print("> extra", kwargs)
    shop.extra.remove_listener(once)


class Customer(User):
    wait_time = constant(0)

    @task
    def order(self):
        events.order_placed.fire(amount=3)
        events.order_placed.fire(amount=4, reverse=True)
        shop.extra.fire(a=1)
        shop.extra.fire(a=2)
        raise StopUser
