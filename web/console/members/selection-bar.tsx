import { counted, formatNumber } from "../format";
import { Button } from "../ui/button";
import type { Chosen, Selection } from "./selection";
import style from "./selection-bar.module.css";

interface Properties {
  selection: Selection;
  /** The members of the page. */
  shown: Chosen[];
  /** Of all pages, where that is known. */
  total: number | undefined;
  filtered: boolean;
  onDelete: () => void;
}

export function SelectionBar({ selection, shown, total, filtered, onDelete }: Properties) {
  const { all, chosen } = selection;
  if (!all && chosen.size === 0) return null;
  const pageChosen = shown.every(({ id }) => selection.has(id));
  const which = filtered ? "that match" : "in the memberbase";
  return (
    <div className={style.bar}>
      <span role="status" className={style.words}>
        {all ? `All members ${which} are selected` : `${counted(chosen.size, "member")} selected`}
      </span>
      {!all && pageChosen && (total === undefined || total > chosen.size) && (
        <Button variant="quiet" onPress={selection.chooseAll}>
          {`Select all ${total === undefined ? "" : `${formatNumber(total)} `}${which}`}
        </Button>
      )}
      <div className={style.actions}>
        <Button variant="quiet" onPress={selection.clear}>
          Clear
        </Button>
        <Button variant="danger" icon="trash" onPress={onDelete}>
          Delete…
        </Button>
      </div>
    </div>
  );
}
