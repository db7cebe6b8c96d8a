/** Writes of the settings page. */

import { path, request } from "./client";
import type { Member, Team, Token, UserAccount } from "./types";

export const makeToken = (wish: { name: string; lifetime?: string; readOnly: boolean }) =>
  request<Token>("/tokens", { method: "POST", body: wish });

export const deleteToken = (uid: string) => request<void>(path("tokens", uid), { method: "DELETE" });

export const makeTeam = (name: string) => request<Team>("/teams", { method: "POST", body: { name } });

export const setMember = (team: string, username: string, role: string) =>
  request<Member>(path("teams", team, "members", username), { method: "PUT", body: { role } });

export const removeMember = (team: string, username: string) =>
  request<void>(path("teams", team, "members", username), { method: "DELETE" });

export const changePassword = (current: string, wanted: string) =>
  request<void>("/session/password", { method: "PUT", body: { current, new: wanted } });

export const makeUser = (wish: { username: string; password?: string; administrator: boolean }) =>
  request<UserAccount>("/users", { method: "POST", body: wish });

export const changeUser = (username: string, wish: { password?: string; active?: boolean; administrator?: boolean }) =>
  request<UserAccount>(path("users", username), { method: "PATCH", body: wish });

export const makeTokenFor = (username: string, wish: { name: string; lifetime?: string; readOnly: boolean }) =>
  request<Token>(path("users", username, "tokens"), { method: "POST", body: wish });
