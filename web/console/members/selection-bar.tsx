import { counted, formatNumber } from "../format";
import { Button } from "../ui/button";
import type { SelectedMember, Selection } from "./selection";
import style from "./selection-bar.module.css";

interface Properties {
  selection: Selection;
  /** The members on the page. */
  shown: SelectedMember[];
  /** The number of members on all pages, if known. */
  total: number | undefined;
  filtered: boolean;
  onDelete: () => void;
}

export function SelectionBar({ selection, shown, total, filtered, onDelete }: Properties) {
  const { all, selected } = selection;
  if (!all && selected.size === 0) return null;
  const isPageSelected = shown.every(({ id }) => selection.has(id));
  const members = filtered ? "matching members" : "members";
  return (
    <div className={style.bar}>
      <span role="status" className={style.text}>
        {all ? `All ${members} selected` : `${counted(selected.size, "member")} selected`}
      </span>
      {!all && isPageSelected && (total === undefined || total > selected.size) && (
        <Button variant="quiet" onPress={selection.selectAll}>
          {`Select all ${total === undefined ? "" : `${formatNumber(total)} `}${members}`}
        </Button>
      )}
      <div className={style.actions}>
        <Button variant="quiet" onPress={selection.clear}>
          Clear selection
        </Button>
        <Button variant="danger" icon="trash" onPress={onDelete}>
          Delete…
        </Button>
      </div>
    </div>
  );
}
