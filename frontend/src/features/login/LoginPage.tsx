import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useRouter } from "@tanstack/react-router";
import { useEffect, useRef, type FormEvent } from "react";
import { csrfToken } from "../../api/client";
import { ApiError, sentenceOf } from "../../api/problem";
import { logIn, safeNext, sessionQuery } from "../../api/session";
import { Button } from "../../ui/Button";
import { Logo } from "../../ui/Logo";
import { useTitle } from "../../ui/useTitle";
import styles from "./LoginPage.module.css";

const route = getRouteApi("/login");

/** Wrong credentials get one sentence, the same whether the name or the password is wrong. */
function sentence(error: unknown): string {
  const refused = error instanceof ApiError && (error.status === 400 || error.status === 401);
  return refused ? "That name and password do not belong together. Check both and try again." : sentenceOf(error);
}

export function LoginPage() {
  useTitle("Log in");
  const { next } = route.useSearch();
  const router = useRouter();
  const client = useQueryClient();
  const username = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);

  const attempt = useMutation({
    mutationFn: (form: { username: string; password: string }) => logIn(form.username, form.password),
    onSuccess: async () => {
      client.clear();
      await client.fetchQuery(sessionQuery);
      router.history.push(safeNext(next));
    },
    onError: () => {
      password.current?.focus();
      password.current?.select();
    },
  });

  useEffect(() => {
    // The answer sets the CSRF cookie that logging in needs.
    if (csrfToken(document.cookie) === undefined) void client.prefetchQuery({ ...sessionQuery, staleTime: 0 });
    username.current?.focus();
  }, [client]);

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    attempt.mutate({ username: String(form.get("username")).trim(), password: String(form.get("password")) });
  };

  return (
    <main className={styles.page} id="main">
      <form className={styles.card} onSubmit={submit} aria-labelledby="login-title">
        <Logo size={40} />
        <h1 id="login-title">Log in to Lamplight</h1>
        {next !== undefined && !attempt.isError && <p className="muted">Log in to go on where you were.</p>}
        <div className={styles.error} role="alert">
          {attempt.isError && <p id="login-error">{sentence(attempt.error)}</p>}
        </div>
        <label>
          User name
          <input
            ref={username}
            name="username"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            aria-invalid={attempt.isError}
            aria-describedby={attempt.isError ? "login-error" : undefined}
          />
        </label>
        <label>
          Password
          <input
            ref={password}
            name="password"
            type="password"
            autoComplete="current-password"
            required
            aria-invalid={attempt.isError}
            aria-describedby={attempt.isError ? "login-error" : undefined}
          />
        </label>
        <Button type="submit" look="primary" disabled={attempt.isPending}>
          {attempt.isPending ? "Logging in…" : "Log in"}
        </Button>
      </form>
    </main>
  );
}
