import { pick, useGraphiQL } from "@graphiql/react";
import { useEffect, useRef } from "react";

/** Clears the schema error from the response pane once the schema is loaded, which GraphiQL does not do. */
export function SchemaErrorReset() {
  const { fetchError, responseEditor } = useGraphiQL(pick("fetchError", "responseEditor"));
  const shown = useRef<string>(null);

  useEffect(() => {
    if (!fetchError && shown.current && responseEditor?.getValue() === shown.current) responseEditor.setValue("");
    shown.current = fetchError;
  }, [fetchError, responseEditor]);

  return null;
}
