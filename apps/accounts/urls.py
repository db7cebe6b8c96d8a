"""Routes of this room below /api/v1/."""

from django.urls import path

from apps.accounts import api, api_users

urlpatterns = [
    path("session", api.SessionView.as_view(), name="session"),
    path("session/password", api.PasswordView.as_view(), name="password"),
    path("users", api_users.UsersView.as_view(), name="users"),
    path("users/<slug:username>", api_users.UserView.as_view(), name="user"),
    path("users/<slug:username>/tokens", api_users.UserTokensView.as_view(), name="user-tokens"),
    path("tokens", api.TokensView.as_view(), name="tokens"),
    path("tokens/<uuid:uid>", api.TokenView.as_view(), name="token"),
    path("teams", api.TeamsView.as_view(), name="teams"),
    path("teams/<slug:team>", api.TeamView.as_view(), name="team"),
    path("teams/<slug:team>/members", api.MembersView.as_view(), name="members"),
    path("teams/<slug:team>/members/<slug:username>", api.MemberView.as_view(), name="member"),
]
