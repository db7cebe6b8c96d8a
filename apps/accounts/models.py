"""Users, teams, memberships, API tokens."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

from apps.core import clock
from apps.core.domain.access import Role


class UserManager(BaseUserManager["User"]):
    def create_user(self, username: str, password: str | None = None, **fields: Any) -> User:
        """A new user; without a password nobody can log in as it (tokens still work)."""
        user = self.model(username=self.model.normalize_username(username), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, password: str | None = None, **fields: Any) -> User:
        """As `create_user`, with all rights."""
        return self.create_user(username, password, is_superuser=True, **fields)


class User(AbstractBaseUser):
    """A person or a robot. `uid` is what change records hold: it says nothing about who it is."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    username = models.SlugField(max_length=50, unique=True)
    is_active = models.BooleanField(default=True)
    is_superuser = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=clock.now)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "username"

    def __str__(self) -> str:
        return self.username

    @property
    def actor_id(self) -> str:
        return f"user:{self.uid}"


class Team(models.Model):
    """Who owns objects together. Objects name their team by `name`, which never changes."""

    name = models.SlugField(max_length=50, unique=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user's role in a team."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    role = models.PositiveSmallIntegerField(choices=[(r.value, r.name.lower()) for r in Role])

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "team"], name="accounts_membership_user_team")]

    def __str__(self) -> str:
        return f"{self.user} is {Role(self.role).name.lower()} of {self.team}"


class ApiToken(models.Model):
    """A bearer token with the rights of its owner. Only its hash is stored; `prefix` tells people which one it is."""

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    read_only = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at", "uid")

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.owner}"


class LoginFailure(models.Model):
    """Failed logins of one key (a digest of the username, or an address) since `since`."""

    key = models.CharField(max_length=80, primary_key=True)
    failures = models.PositiveIntegerField()
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.failures} since {self.since}"
