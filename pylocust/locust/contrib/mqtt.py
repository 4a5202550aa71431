"""Users of MQTT brokers, with paho-mqtt."""

from __future__ import annotations

import random
import selectors
import ssl
import string
import time
from contextlib import suppress
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from .. import User
from ..env import Environment
from ..exception import LocustError

SUBACK_FAILURE = 0x80
REQUEST_TYPE = "MQTT"


def _generate_random_id(length: int, alphabet: str = string.digits + string.ascii_letters) -> str:
    return "".join(random.choices(alphabet, k=length))


def _generate_mqtt_event_name(event_type: str, qos: int, topic: str) -> str:
    return f"{event_type}:{qos}:{topic}"


class PublishedMessageContext(NamedTuple):
    """A message that the broker has not acknowledged."""

    qos: int
    topic: str
    start_time: float
    payload_size: int


class SubscribeContext(NamedTuple):
    """A subscription that the broker has not acknowledged."""

    qos: int
    topic: str
    start_time: float


class MqttClient(mqtt.Client):
    """A client that reports connecting, losing the connection, publishing and subscribing; the latter two take the time
    until the broker's acknowledgement."""

    def __init__(
        self,
        *args: Any,
        environment: Environment,
        client_id: str | None = None,
        protocol: MQTTProtocolVersion = mqtt.MQTTv311,
        use_loop_selectors: bool = False,
        **kwargs: Any,
    ) -> None:
        self.client_id = client_id or f"locust-{_generate_random_id(16)}"
        is_v5 = protocol == mqtt.MQTTv5
        kwargs.setdefault("callback_api_version", CallbackAPIVersion.VERSION2 if is_v5 else CallbackAPIVersion.VERSION1)
        super().__init__(*args, client_id=self.client_id, protocol=protocol, **kwargs)  # type: ignore[misc]
        self.environment = environment
        self.use_loop_selectors = use_loop_selectors
        self._publish_requests: dict[int, PublishedMessageContext] = {}
        self._subscribe_requests: dict[int, SubscribeContext] = {}
        self.on_publish = self._on_publish_cb
        self.on_subscribe = self._on_subscribe_cb
        self.on_connect = self._on_connect_cb
        self.on_disconnect = self._on_disconnect_v5 if is_v5 else self._on_disconnect_v3

    def _generate_event_name(self, event_type: str, qos: int, topic: str) -> str:
        return _generate_mqtt_event_name(event_type, qos, topic)

    def _report(self, name: str, time_s: float = 0, length: int = 0, exception: Any = None, **context: Any) -> None:
        self.environment.events.request.fire(
            request_type=REQUEST_TYPE,
            name=name,
            response_time=time_s * 1000,
            response_length=length,
            exception=exception,
            context={"client_id": self.client_id, **context},
        )

    def _on_publish_cb(self, client: mqtt.Client, userdata: Any, mid: int, *_rest: Any) -> None:
        now = time.time()
        sent = self._publish_requests.pop(mid, None)
        if sent is None:
            self._report("publish", exception=AssertionError(f"no message {mid} was published"), mid=mid)
            return
        name = self._generate_event_name("publish", sent.qos, sent.topic)
        self._report(name, now - sent.start_time, sent.payload_size, **sent._asdict())

    def _on_subscribe_cb(
        self, client: mqtt.Client, userdata: Any, mid: int, granted: list[Any], properties: Any = None
    ) -> None:
        now = time.time()
        asked = self._subscribe_requests.pop(mid, None)
        if asked is None:
            self._report("subscribe", exception=AssertionError(f"no subscription {mid} was asked for"), mid=mid)
            return
        exception = None
        if any(getattr(code, "value", code) >= SUBACK_FAILURE for code in granted):
            exception = AssertionError(f"the broker refused the subscription: {granted}")
        name = self._generate_event_name("subscribe", asked.qos, asked.topic)
        self._report(name, now - asked.start_time, exception=exception, **asked._asdict())

    def _on_connect_cb(self, client: mqtt.Client, userdata: Any, flags: Any, rc: Any, properties: Any = None) -> None:
        self._report("connect", exception=Exception(str(rc)) if rc != 0 else None)

    def _on_disconnect_v3(self, client: mqtt.Client, userdata: Any, rc: Any) -> None:
        self._report("disconnect", exception=rc if rc != 0 else None)

    def _on_disconnect_v5(self, client: mqtt.Client, userdata: Any, flags: Any, rc: Any, properties: Any) -> None:
        self._on_disconnect_v3(client, userdata, rc)

    def _loop(self, timeout: float = 1.0) -> MQTTErrorCode:
        if self.use_loop_selectors:
            return self._loop_selectors(timeout)
        return super()._loop(timeout)

    def _loop_selectors(self, timeout: float = 1.0) -> MQTTErrorCode:
        """One round as paho makes it with select(), which cannot wait for descriptors above 1023."""
        if timeout < 0:
            raise ValueError("timeout is negative")
        connection: Any = self._sock
        if connection is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        # Bytes that TLS has decrypted already wake up nobody.
        has_pending = bool(getattr(connection, "pending", lambda: 0)())
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.want_write() else 0)
        wake_up = self._sockpairR
        with selectors.DefaultSelector() as selector:
            try:
                selector.register(connection, wanted)
            except ValueError:
                return MQTTErrorCode.MQTT_ERR_CONN_LOST
            if wake_up is not None:
                selector.register(wake_up, selectors.EVENT_READ)
            ready = {key.fileobj: mask for key, mask in selector.select(0 if has_pending else timeout)}
        if ready.get(connection, 0) & selectors.EVENT_READ or has_pending:
            code = self.loop_read()
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._sock is None:
                return code
        was_woken = False
        if wake_up is not None and wake_up in ready:
            was_woken = True
            with suppress(BlockingIOError):
                wake_up.recv(10000)
        if was_woken or ready.get(connection, 0) & selectors.EVENT_WRITE:
            code = self.loop_write()
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._sock is None:
                return code
        return self.loop_misc()

    def publish(
        self,
        topic: str,
        payload: mqtt.PayloadType | None = None,
        qos: int = 0,
        retain: bool = False,
        properties: Any = None,
    ) -> mqtt.MQTTMessageInfo:
        """As paho's; reported when the broker has it."""
        sent = PublishedMessageContext(qos, topic, time.time(), len(payload) if isinstance(payload, str | bytes) else 0)
        # The acknowledgement may be handled before the identifier is known here.
        with self._callback_mutex:
            info = super().publish(topic, payload=payload, qos=qos, retain=retain, properties=properties)
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._publish_requests[info.mid] = sent
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            name = self._generate_event_name("publish", qos, topic)
            self._report(name, length=0, exception=info.rc, **sent._asdict())
        return info

    def subscribe(
        self, topic: Any, qos: int = 0, options: Any = None, properties: Any = None
    ) -> tuple[MQTTErrorCode, int | None]:
        """As paho's; reported when the broker has answered."""
        asked = SubscribeContext(qos, topic if isinstance(topic, str) else str(topic), time.time())
        with self._callback_mutex:
            result, mid = super().subscribe(topic, qos, options, properties)
            if result == MQTTErrorCode.MQTT_ERR_SUCCESS and mid is not None:
                self._subscribe_requests[mid] = asked
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS:
            name = self._generate_event_name("subscribe", qos, asked.topic)
            self._report(name, exception=result, **asked._asdict())
        return result, mid


class MqttUser(User):
    """A user with a connection to the broker at ``host`` and ``port``, ``client``."""

    abstract = True
    host = "localhost"
    port = 1883
    transport = "tcp"
    ws_path = "/mqtt"
    tls_context: ssl.SSLContext | None = None
    client_cls: type[MqttClient] = MqttClient
    client_id: str | None = None
    username: str | None = None
    password: str | None = None
    protocol = mqtt.MQTTv311
    use_loop_selectors: bool = False

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        if not self.host or not self.port:
            raise LocustError("host and port of the broker are needed")
        self.client = self.client_cls(
            environment=environment,
            transport=self.transport,
            client_id=self.client_id,
            protocol=self.protocol,
            use_loop_selectors=self.use_loop_selectors,
        )
        if self.transport == "websockets" and self.ws_path:
            self.client.ws_set_options(path=self.ws_path)
        if self.tls_context is not None:
            self.client.tls_set_context(self.tls_context)
        if self.username is not None:
            self.client.username_pw_set(self.username, self.password)
        self.client.connect_async(host=self.host, port=self.port)
        self.client.loop_start()
