import { pick, useGraphiQL } from "@graphiql/react";
import { useEffect } from "react";

import { type Known, fill } from "./ids";
import { atHand } from "./storage";

/** Puts what is known into the variables of the tab in front, when it comes to the front and when more is known. */
export function AtHand({ known }: { known: Known }) {
  const { tabs, activeTabIndex, variableEditor } = useGraphiQL(pick("tabs", "activeTabIndex", "variableEditor"));
  const tab = tabs[activeTabIndex];
  const id = tab?.id ?? "";
  const turnsPages = tab?.query?.includes("query PageMembers") ?? false;

  useEffect(() => {
    const model = variableEditor?.getModel();
    if (!model) return;
    const before = model.getValue();
    const { filled } = atHand.read();
    const [after, now] = fill(before, known, filled[id] ?? {}, turnsPages);
    if (after === before) return;
    atHand.write({ filled: { ...filled, [id]: now } });
    model.setValue(after);
  }, [known, id, variableEditor, turnsPages]);

  return null;
}
