"""Routes of this room below /api/v1/."""

from django.urls import path

from apps.whatif import api
from apps.whatif.api_suggest import SuggestionsView

_POOL = "teams/<slug:team>/pools/<slug:name>"

urlpatterns = [
    path(f"{_POOL}/simulate", api.SimulateView.as_view(), name="pools-simulate"),
    path(f"{_POOL}/simulations", api.SimulationsView.as_view(), name="pools-simulations"),
    path(f"{_POOL}/simulations/<uuid:simulation>", api.SimulationView.as_view(), name="pools-simulation"),
    path("teams/<slug:team>/models/<slug:name>/suggestions", SuggestionsView.as_view(), name="models-suggestions"),
]
