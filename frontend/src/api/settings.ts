/** Writes of the settings page. */

import { path, request } from "./client";
import type { Member, Team, Token } from "./types";

export const makeToken = (wish: { name: string; lifetime?: string; readOnly: boolean }) =>
  request<Token>("/tokens", { method: "POST", body: wish });

export const deleteToken = (uid: string) => request<void>(path("tokens", uid), { method: "DELETE" });

export const makeTeam = (name: string) => request<Team>("/teams", { method: "POST", body: { name } });

export const setMember = (team: string, username: string, role: string) =>
  request<Member>(path("teams", team, "members", username), { method: "PUT", body: { role } });

export const removeMember = (team: string, username: string) =>
  request<void>(path("teams", team, "members", username), { method: "DELETE" });
