"""The data plane of a standalone endpoint picker: an Envoy beside it that asks it where each request goes.

The picker answers with the header `x-gateway-destination-endpoint`, and Envoy sends the request there. Streams are
never cut off by a time limit; a request that no picker answers for is refused.
"""

from __future__ import annotations

import functools
from typing import Any

import yaml

DESTINATION_HEADER = "x-gateway-destination-endpoint"
_TYPE = "type.googleapis.com/envoy.extensions"
_CONNECT = "10s"


@functools.cache
def envoy_config(*, port: int, picker_port: int) -> str:
    """Envoy's bootstrap as YAML: a listener on `port`, the picker on 127.0.0.1:`picker_port`."""
    document = {
        "static_resources": {
            "listeners": [_listener(port)],
            "clusters": [_destination(), _picker(picker_port)],
        }
    }
    return yaml.safe_dump(document, sort_keys=False)


def _listener(port: int) -> dict[str, Any]:
    manager = {
        "@type": f"{_TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "pool",
        "stream_idle_timeout": "0s",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/"},
                            "route": {"cluster": "destination", "timeout": "0s", "idle_timeout": "0s"},
                        }
                    ],
                }
            ]
        },
        "http_filters": [
            {"name": "envoy.filters.http.ext_proc", "typed_config": _ext_proc()},
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPE}.filters.http.router.v3.Router"},
            },
        ],
    }
    return {
        "name": "http",
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},  # noqa: S104  (its pod's address)
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _ext_proc() -> dict[str, Any]:
    return {
        "@type": f"{_TYPE}.filters.http.ext_proc.v3.ExternalProcessor",
        "grpc_service": {"envoy_grpc": {"cluster_name": "picker"}, "timeout": _CONNECT},
        "failure_mode_allow": False,
        # the picker may hold a request back until there is room
        "message_timeout": "600s",
        "processing_mode": {
            "request_header_mode": "SEND",
            "request_body_mode": "FULL_DUPLEX_STREAMED",
            "request_trailer_mode": "SEND",
            "response_header_mode": "SEND",
            "response_body_mode": "FULL_DUPLEX_STREAMED",
            "response_trailer_mode": "SEND",
        },
    }


def _destination() -> dict[str, Any]:
    return {
        "name": "destination",
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": _CONNECT,
        "original_dst_lb_config": {"use_http_header": True, "http_header_name": DESTINATION_HEADER},
    }


def _picker(port: int) -> dict[str, Any]:
    http2 = {
        "@type": f"{_TYPE}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    # the picker's certificate is one that it made for itself
    tls = {"@type": f"{_TYPE}.transport_sockets.tls.v3.UpstreamTlsContext"}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {
        "name": "picker",
        "type": "STATIC",
        "connect_timeout": _CONNECT,
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
        "load_assignment": {
            "cluster_name": "picker",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
