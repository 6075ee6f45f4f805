import { pick, useGraphiQL } from "@graphiql/react";
import { useEffect } from "react";

const NARROW = window.matchMedia("(width < 45rem)");

/** Wraps lines and hides line numbers in a narrow window. style.css has the rest of the narrow layout. */
export function NarrowLayout() {
  const { queryEditor, variableEditor, responseEditor } = useGraphiQL(
    pick("queryEditor", "variableEditor", "responseEditor"),
  );

  useEffect(() => {
    function apply() {
      for (const editor of [queryEditor, variableEditor, responseEditor]) {
        editor?.updateOptions({
          wordWrap: NARROW.matches || editor === responseEditor ? "on" : "off",
          lineNumbers: NARROW.matches || editor === responseEditor ? "off" : "on",
          folding: !NARROW.matches,
          fontSize: NARROW.matches ? 13 : 15,
          // Without line numbers, no space is needed on the left.
          lineDecorationsWidth: NARROW.matches ? 0 : 10,
        });
      }
    }
    apply();
    NARROW.addEventListener("change", apply);
    return () => NARROW.removeEventListener("change", apply);
  }, [queryEditor, variableEditor, responseEditor]);

  return null;
}
