import { Link, useRouter, type ErrorComponentProps } from "@tanstack/react-router";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { ApiError } from "../api/problem";
import styles from "./fallbacks.module.css";
import { useTitle } from "../ui/useTitle";
import { Logo } from "../ui/Logo";
import { EmptyState, ErrorPanel, Skeleton } from "../ui/Message";
import { isAnswering, PartError } from "./part";

export function NotFoundPage() {
  useTitle("Not found");
  return (
    <main id="main" className={styles.alone}>
      <Logo alt="Lamplight" />
      <EmptyState isPage title="There is no page at this address.">
        <p>
          The address may be mistyped, or from a newer version. <Link to="/">Go to the fleet</Link>
        </p>
      </EmptyState>
    </main>
  );
}

/** The console could not be shown at all: the server was away when it opened, or it has a fault. */
export function CrashPage(props: ErrorComponentProps) {
  return (
    <main id="main" className={styles.alone}>
      <Logo alt="Lamplight" />
      <CrashedPart {...props} />
    </main>
  );
}

/** How often it is looked whether the server is back. */
const LOOK_MS = 3_000;

/** The same inside the shell, where the menu still leads elsewhere. */
export function CrashedPart({ error, reset }: ErrorComponentProps) {
  useTitle("Error");
  const router = useRouter();
  const client = useQueryClient();
  const isAway = error instanceof ApiError && error.unreachable;
  const retry = async () => {
    if (error instanceof PartError) {
      if (await isAnswering()) location.reload();
      return;
    }
    await client.resetQueries();
    reset();
    await router.invalidate();
  };
  useEffect(() => {
    if (!isAway) return;
    const timer = setInterval(() => void isAnswering().then((isBack) => (isBack ? retry() : undefined)), LOOK_MS);
    return () => clearInterval(timer);
  });
  const what = error instanceof ApiError ? "This page could not be loaded." : "The console has a fault on this page.";
  return <ErrorPanel isPage error={error} what={what} onRetry={() => void retry()} />;
}

/** In the place of a part that is on its way. */
export function PartPending() {
  return <Skeleton height="70vh" label="Loading the page" />;
}

export const Nothing = () => null;
