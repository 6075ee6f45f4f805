import { pick, useGraphiQL } from "@graphiql/react";
import { useEffect } from "react";

const NARROW = window.matchMedia("(width < 45rem)");

/** In a narrow window (see style.css) the editors wrap their lines, and do not number them. */
export function Narrow() {
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
          // Flush to the left, where the numbers are not.
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
