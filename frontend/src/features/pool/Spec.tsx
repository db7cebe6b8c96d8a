import { useQuery } from "@tanstack/react-query";
import { poolYamlQuery } from "../../api/queries";
import { CopyButton } from "../../ui/CopyButton";
import { Section } from "../../ui/Section";
import { usePool } from "./usePool";
import styles from "./Pool.module.css";

export function Spec() {
  const { team, name } = usePool().metadata;
  const read = useQuery(poolYamlQuery(team, name));
  const { data } = read;
  return (
    <Section title="Declaration" note="lamp apply -f takes it as it is" data={data} read={read}>
      {(yaml) => (
        <div className={styles.yaml}>
          <CopyButton text={yaml} label="Copy the YAML" />
          <pre>{yaml}</pre>
        </div>
      )}
    </Section>
  );
}
