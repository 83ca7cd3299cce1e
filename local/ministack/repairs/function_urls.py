"""A repair of function URLs."""

import functools
import inspect
import os
from typing import Any

from ministack.core.responses import get_region
from ministack.services import lambda_svc

from local.types import Json


def function_urls_lead_here() -> None:
    """Function URLs.

    AWS: the URL leads to the function, and `host` of a request names what the browser asked for.
    ministack: serves the URL's path and id, but names it https://….on.aws/, a host that does not lead to this
    machine. The name is in FunctionUrl (so in links that are sent) and in each request (so a page cannot
    compare it with an Origin). Here it is a name below localhost, which browsers and curl resolve to this
    machine by themselves.
    """
    create, build = lambda_svc._create_function_url_config, lambda_svc._build_function_url_event

    @functools.wraps(create)
    def created(name: str, data: Json, qualifier: str | None) -> Any:
        answer = create(name, data, qualifier)
        known = lambda_svc._function_urls.get(lambda_svc._url_config_key(name, qualifier))
        if answer[0] != 201 or known is None:
            return answer
        label = lambda_svc._function_url_id(known["FunctionUrl"])
        port = os.environ.get("GATEWAY_PORT", "4566")
        known["FunctionUrl"] = f"http://{label}.lambda-url.{get_region()}.localhost:{port}/"
        return lambda_svc.json_response(known, status=201)

    @functools.wraps(build)
    def event(*arguments: Any, **named: Any) -> Json:
        built: Json = build(*arguments, **named)
        sent: Json = inspect.signature(build).bind(*arguments, **named).arguments["headers"]
        host = next((value for name, value in sent.items() if name.lower() == "host"), "")
        if ".lambda-url." in host:
            built["headers"]["host"] = host
            built["requestContext"]["domainName"] = host.partition(":")[0]
        return built

    lambda_svc._create_function_url_config, lambda_svc._build_function_url_event = created, event
