import { Checkbox, Select, type Option } from "../ui/field";
import { Card } from "../ui/page";
import style from "./import.module.css";
import type { Mode, Plan } from "./plan";

const MODES: Option<Mode>[] = [
  { key: "upsert", label: "Create and update" },
  { key: "insertOnly", label: "Only create new members" },
  { key: "updateOnly", label: "Only update existing members" },
];

const ON_ERROR: Option<Plan["onError"]>[] = [
  { key: "skip", label: "Leave them out" },
  { key: "reject", label: "Stop the import" },
];

export function ImportOptions({ plan, onChange }: { plan: Plan; onChange: (plan: Plan) => void }) {
  return (
    <Card>
      <div className={style.section}>
        <h2>Import options</h2>
        <div className={style.fields}>
          <Select label="Members" options={MODES} value={plan.mode} onChange={(mode) => onChange({ ...plan, mode })} />
          <Select
            label="Invalid rows"
            options={ON_ERROR}
            value={plan.onError}
            onChange={(onError) => onChange({ ...plan, onError })}
          />
        </div>
        <div className={style.option}>
          <Checkbox isSelected={plan.replaces} onChange={(replaces) => onChange({ ...plan, replaces })}>
            <span>Replace the list: delete members that are not in this file</span>
          </Checkbox>
          <p>
            For a file that is the complete list. The check shows how many members would be deleted, and you confirm before the
            import starts.
          </p>
        </div>
      </div>
    </Card>
  );
}
