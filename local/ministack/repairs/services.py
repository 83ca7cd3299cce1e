"""A repair of how ministack finds the service of a request."""

import functools

import botocore.session
from ministack.core import router


def unknown_services_are_known_by_name() -> None:
    """Requests that are signed for a service which ministack does not have.

    AWS: such a request keeps no other waiting.
    ministack: at the first one it reads botocore's descriptions of all services, and answers nobody for five
    seconds. Here a name is a service's if botocore lists it. The names that only descriptions hold, such as
    those of a second signature, are nobody's.
    """
    router._is_aws_service_name = lambda name: name in _names()


@functools.cache
def _names() -> frozenset[str]:
    """Names of services: of botocore's folders, and of the hosts in its endpoints.json."""
    loader = botocore.session.get_session().get_component("data_loader")
    hosts = [name for part in loader.load_data("endpoints")["partitions"] for name in part["services"]]
    return frozenset([*loader.list_available_services("service-2"), *hosts])
