import { Link, useRouter, type ErrorComponentProps } from "@tanstack/react-router";
import { useQueryClient } from "@tanstack/react-query";
import { ApiError } from "../api/problem";
import styles from "./fallbacks.module.css";
import { useTitle } from "../ui/useTitle";
import { Logo } from "../ui/Logo";
import { EmptyState, ErrorPanel } from "../ui/Message";

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

/** The page could not be shown at all: the server was away when the console opened, or the console has a fault. */
export function CrashPage({ error, reset }: ErrorComponentProps) {
  useTitle("Error");
  const router = useRouter();
  const client = useQueryClient();
  const retry = async () => {
    await client.resetQueries();
    reset();
    await router.invalidate();
  };
  const what = error instanceof ApiError ? "The console could not load." : "The console has a fault on this page.";
  return (
    <main id="main" className={styles.alone}>
      <Logo alt="Lamplight" />
      <ErrorPanel isPage error={error} what={what} onRetry={() => void retry()} />
    </main>
  );
}
