import os
import random
import time

from locust import HttpUser, between, constant, task

PRODUCTS = os.environ.get("PRODUCT_SERVICE", "http://127.0.0.1:8081")
ORDERS = os.environ.get("ORDER_SERVICE", "http://127.0.0.1:8082")
PAYMENTS = os.environ.get("PAYMENT_SERVICE", "http://127.0.0.1:8083")
DELIVERIES = os.environ.get("DELIVERY_SERVICE", "http://127.0.0.1:8084")


class ProductUser(HttpUser):
    """Looks around in the catalogue."""

    host = PRODUCTS
    weight = 4
    wait_time = between(0.2, 0.6)

    def on_start(self):
        self.known = [self.client.post("/products", json={"name": f"product {n}"}).json()["id"] for n in range(3)]

    @task(3)
    def catalogue(self):
        self.client.get("/products", params={"limit": 5}, name="/products")

    @task
    def product(self):
        self.client.get(f"/products/{random.choice(self.known)}", name="/products/[id]")


class OrderUser(HttpUser):
    """Buys: product, order, payment, delivery, each in its own service, each call with the number from the last."""

    host = ORDERS
    weight = 3
    wait_time = between(0.3, 0.9)

    @task
    def buy(self):
        product = self.client.post(f"{PRODUCTS}/products", json={"name": "tea"}, name="product").json()
        with self.client.post(
            "/orders", json={"product": product["id"], "amount": 2}, name="order", catch_response=True
        ) as response:
            if response.status_code != 201:
                response.failure(f"order refused: {response.status_code}")
                return
            order = response.json()
        payment = self.client.post(
            f"{PAYMENTS}/payments", json={"order": order["id"], "method": "card"}, name="payment"
        ).json()
        delivery = self.client.post(
            f"{DELIVERIES}/deliveries", json={"order": order["id"], "payment": payment["id"]}, name="delivery"
        )
        delivery.raise_for_status()
        with self.client.get(f"/orders/{order['id']}", name="order check", catch_response=True) as response:
            if response.json()["data"]["product"] != product["id"]:
                response.failure("order with the wrong product")


class PaymentUser(HttpUser):
    """The accounts department."""

    host = PAYMENTS
    weight = 1
    wait_time = constant(0.5)

    @task
    def book(self):
        payment = self.client.post("/payments", json={"method": "invoice"}).json()["id"]
        self.client.patch(f"/payments/{payment}", json={"booked": True}, name="/payments/[id]")


class DeliveryUser(HttpUser):
    """Waits for its parcel: asks again and again until it has arrived."""

    host = DELIVERIES
    weight = 2
    wait_time = between(0.5, 1)

    @task
    def follow_parcel(self):
        delivery = self.client.post("/deliveries", json={"address": "Mill Lane 1"}).json()["id"]
        deadline = time.time() + 5
        state = "pending"
        while state != "done":
            if time.time() > deadline:
                raise TimeoutError(f"delivery {delivery} never came")
            time.sleep(0.2)
            state = self.client.get(f"/deliveries/{delivery}", name="/deliveries/[id]").json()["state"]
