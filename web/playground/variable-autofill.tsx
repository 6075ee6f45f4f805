import { pick, useGraphiQL } from "@graphiql/react";
import { useEffect } from "react";

import { fillVariables, type KnownValues } from "./known-values";
import { autofill } from "./storage";

/** Fills known values into the variables of the active tab, when the tab is activated and when a value becomes known. */
export function VariableAutofill({ known }: { known: KnownValues }) {
  const { tabs, activeTabIndex, variableEditor } = useGraphiQL(pick("tabs", "activeTabIndex", "variableEditor"));
  const tab = tabs[activeTabIndex];
  const id = tab?.id ?? "";
  const isPaginated = tab?.query?.includes("query PageMembers") ?? false;

  useEffect(() => {
    const model = variableEditor?.getModel();
    if (!model) return;
    const before = model.getValue();
    const { filled } = autofill.read();
    const [after, filledInTab] = fillVariables(before, known, filled[id] ?? {}, isPaginated);
    if (after === before) return;
    autofill.write({ filled: { ...filled, [id]: filledInTab } });
    model.setValue(after);
  }, [known, id, variableEditor, isPaginated]);

  return null;
}
