"""Routes of this room below /api/v1/."""

from apps.core.api.objects import kind_urls
from apps.endpoints.kinds import EndpointKind

urlpatterns = [*kind_urls(EndpointKind())]
