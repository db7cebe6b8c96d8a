import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { FormEvent } from "react";
import { keys } from "../../api/keys";
import { sentenceOf } from "../../api/problem";
import { usersQuery } from "../../api/queries";
import { sessionQuery } from "../../api/session";
import { changeUser, makeTokenFor, makeUser } from "../../api/settings";
import type { UserAccount } from "../../api/types";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import { Field, fieldRow } from "../../ui/Field";
import { EmptyState } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { Status } from "../../ui/Status";
import { SureButton } from "../../ui/SureButton";
import { Table } from "../../ui/Table";
import { madePassword } from "./password";
import styles from "./Settings.module.css";
import { ShownOnce } from "./ShownOnce";

const LIFETIME = "90d";

interface Given {
  username: string;
  secret: string;
  isToken: boolean;
}

/** What they log in or ask with; nobody is told it again. */
async function givenSecret(username: string, isRobot: boolean): Promise<Given> {
  if (isRobot) {
    const { token } = await makeTokenFor(username, { name: "made on the settings page", lifetime: LIFETIME, readOnly: false });
    return { username, secret: token ?? "", isToken: true };
  }
  const password = madePassword();
  await changeUser(username, { password });
  return { username, secret: password, isToken: false };
}

async function made({ username, isRobot, isAdministrator }: { username: string; isRobot: boolean; isAdministrator: boolean }): Promise<Given> {
  const password = isRobot ? undefined : madePassword();
  await makeUser({ username, administrator: isAdministrator, ...(password === undefined ? {} : { password }) });
  return password === undefined ? givenSecret(username, true) : { username, secret: password, isToken: false };
}

/** Who may log in or has tokens; for administrators of the installation. */
export function Users() {
  const { data: session } = useQuery(sessionQuery);
  return session?.user.superuser === true ? <Everybody /> : null;
}

function Everybody() {
  const client = useQueryClient();
  const read = useInfiniteQuery(usersQuery);
  const { data, fetchNextPage, hasNextPage, isFetchingNextPage } = read;
  const again = { onSettled: () => client.invalidateQueries({ queryKey: keys.users }) };
  const make = useMutation({ mutationFn: made, ...again });
  const renew = useMutation({ mutationFn: ({ username, robot }: UserAccount) => givenSecret(username, robot), ...again });
  const change = useMutation({ mutationFn: ({ username, wish }: { username: string; wish: Parameters<typeof changeUser>[1] }) => changeUser(username, wish), ...again });
  // what was pressed last speaks
  const last = [make, renew, change].toSorted((a, b) => b.submittedAt - a.submittedAt)[0];
  const given = last === make ? make.data : last === renew ? renew.data : undefined;
  return (
    <Section title="Users" note="of the whole installation; their roles are given team by team, below" data={data?.pages.flatMap(({ items }) => items)} read={read}>
      {(users) => (
        <>
          <div className={styles.form}>
            <NewUser isPending={make.isPending} onWish={make.mutate} />
            <div role="status">
              {last?.isError === true && <p className={styles.trouble}>{sentenceOf(last.error)}</p>}
              {given !== undefined && (
                <ShownOnce
                  says={given.isToken ? `A token for ${given.username}, good for 90 days; it is not shown again:` : `The password of ${given.username}; it is not shown again:`}
                  secret={given.secret}
                  copy={given.isToken ? "Copy the token" : "Copy the password"}
                />
              )}
            </div>
          </div>
          {users.length === 0 ? (
            <EmptyState title="No user is listed.">
              <p>The form above makes one.</p>
            </EmptyState>
          ) : (
            <Table
              rows={users}
              rowKey={({ username }) => username}
              columns={[
                { title: "User", cell: ({ username }) => username },
                { title: "Comes with", cell: ({ robot }) => (robot ? "tokens only" : "a password") },
                { title: "Roles", wide: true, cell: rolesOf },
                {
                  title: "State",
                  cell: ({ active }) =>
                    active ? <Status icon="check" tone="ok" word="Active" label="State" /> : <Status icon="pause" tone="none" word="Shut out" label="State" />,
                },
                { title: "Made", cell: ({ createdAt }) => <Age of={createdAt} /> },
                {
                  title: "Actions",
                  cell: (user) => (
                    <span className={styles.actions}>
                      <SureButton label={`New ${user.robot ? "token" : "password"} for ${user.username}`} sure="Make it now" onSure={() => renew.mutate(user)}>
                        {user.robot ? "New token" : "New password"}
                      </SureButton>
                      <SureButton
                        label={`${user.administrator ? "End" : "Make"} administrator: ${user.username}`}
                        sure={user.administrator ? "Take it away now" : "Make it so now"}
                        onSure={() => change.mutate({ username: user.username, wish: { administrator: !user.administrator } })}
                      >
                        {user.administrator ? "End administrator" : "Make administrator"}
                      </SureButton>
                      <SureButton
                        label={`${user.active ? "Shut out" : "Let in"} ${user.username}`}
                        sure={user.active ? "Shut out now" : "Let in now"}
                        onSure={() => change.mutate({ username: user.username, wish: { active: !user.active } })}
                      >
                        {user.active ? "Shut out" : "Let in"}
                      </SureButton>
                    </span>
                  ),
                },
              ]}
            />
          )}
          {hasNextPage && (
            <div className={styles.form}>
              <Button onClick={() => void fetchNextPage()} disabled={isFetchingNextPage}>
                Show more
              </Button>
            </div>
          )}
        </>
      )}
    </Section>
  );
}

function rolesOf({ administrator, teams }: UserAccount): string {
  const roles = teams.map(({ name, role }) => `${role} of ${name}`);
  if (administrator) roles.unshift("administrator");
  return roles.length === 0 ? "none yet" : roles.join(", ");
}

function NewUser({ isPending, onWish }: { isPending: boolean; onWish: (wish: Parameters<typeof made>[0]) => void }) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    onWish({ username: String(form.get("username")), isRobot: form.get("who") === "robot", isAdministrator: form.get("administrator") === "on" });
    event.currentTarget.reset();
  };
  return (
    <form className={fieldRow} onSubmit={submit}>
      <Field label="New user">
        <input name="username" required pattern="[a-z0-9]([a-z0-9\-]*[a-z0-9])?" maxLength={50} placeholder="ada" autoComplete="off" />
      </Field>
      <Field label="Who">
        <select name="who">
          <option value="person">person, with a password</option>
          <option value="robot">robot, with a token</option>
        </select>
      </Field>
      <label className={styles.check}>
        <input type="checkbox" name="administrator" /> administrator of the installation
      </label>
      <Button type="submit" disabled={isPending}>
        Make the user
      </Button>
    </form>
  );
}
