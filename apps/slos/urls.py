"""Routes of this room below /api/v1/."""

from apps.core.api.objects import kind_urls
from apps.slos.kinds import SLO_KIND

urlpatterns = kind_urls(SLO_KIND)
