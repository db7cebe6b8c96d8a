import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { logOut } from "../../api/session";
import { useLive } from "../../live/LiveProvider";
import { Button } from "../../ui/Button";
import styles from "./Shell.module.css";

export function UserMenu({ username, onLoggedOut }: { username: string; onLoggedOut: () => void }) {
  const { end } = useLive();
  const navigate = useNavigate();
  const leaving = useMutation({
    mutationFn: logOut,
    onSuccess: async () => {
      end();
      onLoggedOut();
      await navigate({ to: "/login" });
    },
  });
  return (
    <div className={styles.user}>
      <span title={`Logged in as ${username}`}>
        <span className="visually-hidden">Logged in as </span>
        {username}
      </span>
      <Button onClick={() => leaving.mutate()} disabled={leaving.isPending}>
        Log out
      </Button>
      {leaving.isError && (
        <span role="alert" className={styles.trouble}>
          Logging out failed: {leaving.error.message}
        </span>
      )}
    </div>
  );
}
