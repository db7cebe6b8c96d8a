import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { keys } from "../../api/keys";
import { sentenceOf } from "../../api/problem";
import { membersQuery, teamsQuery } from "../../api/queries";
import { sessionQuery } from "../../api/session";
import { makeTeam, removeMember, setMember } from "../../api/settings";
import type { Team } from "../../api/types";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import { Field, fieldRow } from "../../ui/Field";
import { EmptyState } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { SureButton } from "../../ui/SureButton";
import { Table } from "../../ui/Table";
import styles from "./Settings.module.css";

const ROLES = ["viewer", "editor", "admin"] as const;

export function Teams() {
  const read = useQuery(teamsQuery);
  const { data } = read;
  const { data: session } = useQuery(sessionQuery);
  const mayAll = session?.user.superuser === true;
  const mine = data?.items.filter(({ role }) => role === "admin" || mayAll) ?? [];
  return (
    <>
      <Section title="Teams" note="that you may see" data={data?.items} read={read}>
        {(teams) => (
          <>
            {mayAll && <NewTeam />}
            {teams.length === 0 ? (
              <EmptyState title="You are in no team.">
                <p>An administrator of the installation can add you to one; then look again.</p>
                <Button onClick={() => void read.refetch()}>Look again</Button>
              </EmptyState>
            ) : (
              <Table
                rows={teams}
                rowKey={({ name }) => name}
                columns={[
                  { title: "Team", cell: ({ name }) => name },
                  { title: "Your role", cell: ({ role }) => role ?? "none" },
                  { title: "Made", cell: ({ createdAt }) => <Age of={createdAt} /> },
                ]}
              />
            )}
          </>
        )}
      </Section>
      {mine.map((team) => (
        <Members key={team.name} team={team} />
      ))}
    </>
  );
}

function NewTeam() {
  const client = useQueryClient();
  const make = useMutation({ mutationFn: makeTeam, onSuccess: () => client.invalidateQueries({ queryKey: keys.teams }) });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    make.mutate(String(new FormData(event.currentTarget).get("name")));
    event.currentTarget.reset();
  };
  return (
    <form className={`${fieldRow} ${styles.form}`} onSubmit={submit}>
      <Field label="New team" error={make.isError ? sentenceOf(make.error) : undefined}>
        <input name="name" required pattern="[a-z0-9]([a-z0-9-]*[a-z0-9])?" maxLength={50} placeholder="search" />
      </Field>
      <Button type="submit" disabled={make.isPending}>
        Make the team
      </Button>
    </form>
  );
}

function Members({ team }: { team: Team }) {
  const client = useQueryClient();
  const read = useQuery(membersQuery(team.name));
  const { data } = read;
  const [said, setSaid] = useState("");
  const settled = {
    onSuccess: () => setSaid(""),
    onError: (trouble: unknown) => setSaid(sentenceOf(trouble)),
    onSettled: () => Promise.all([client.invalidateQueries({ queryKey: keys.members(team.name) }), client.invalidateQueries({ queryKey: keys.users })]),
  };
  const set = useMutation({ mutationFn: ({ username, role }: { username: string; role: string }) => setMember(team.name, username, role), ...settled });
  const remove = useMutation({ mutationFn: (username: string) => removeMember(team.name, username), ...settled });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    set.mutate({ username: String(form.get("username")), role: String(form.get("role")) });
    event.currentTarget.reset();
  };
  return (
    <Section title={`Members of ${team.name}`} data={data?.items} read={read}>
      {(members) => (
        <>
          <form className={`${fieldRow} ${styles.form}`} onSubmit={submit}>
            <Field label="User name">
              <input name="username" required maxLength={50} />
            </Field>
            <Field label="Role">
              <select name="role" defaultValue="viewer">
                {ROLES.map((role) => (
                  <option key={role}>{role}</option>
                ))}
              </select>
            </Field>
            <Button type="submit">Add or change</Button>
            <p role="alert" className={styles.trouble}>
              {said}
            </p>
          </form>
          {members.length === 0 ? (
            <EmptyState title="Nobody is in this team.">
              <p>The form above adds people by their user names.</p>
            </EmptyState>
          ) : (
            <Table
              rows={members}
              rowKey={({ username }) => username}
              columns={[
                { title: "User", cell: ({ username }) => username },
                { title: "Role", cell: ({ role }) => role },
                {
                  title: "Action",
                  cell: ({ username }) => (
                    <SureButton label={`Remove ${username} from ${team.name}`} sure="Remove now" onSure={() => remove.mutate(username)}>
                      Remove
                    </SureButton>
                  ),
                },
              ]}
            />
          )}
        </>
      )}
    </Section>
  );
}
