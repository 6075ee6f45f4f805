import { pick, useGraphiQL } from "@graphiql/react";
import { useEffect, useRef } from "react";

import { type Filled, type Known, fill } from "./ids";

/** Puts what is known into the variables of the tab in front, when it comes to the front and when more is known. */
export function AtHand({ known }: { known: Known }) {
  const { tabs, activeTabIndex, variableEditor } = useGraphiQL(pick("tabs", "activeTabIndex", "variableEditor"));
  const filled = useRef(new Map<string, Filled>());
  const tab = tabs[activeTabIndex];
  const id = tab?.id ?? "";
  const turnsPages = tab?.query?.includes("query PageMembers") ?? false;

  useEffect(() => {
    const model = variableEditor?.getModel();
    if (!model) return;
    const before = model.getValue();
    const [after, now] = fill(before, known, filled.current.get(id) ?? {}, turnsPages);
    filled.current.set(id, now);
    if (after !== before) model.setValue(after);
  }, [known, id, variableEditor, turnsPages]);

  return null;
}
