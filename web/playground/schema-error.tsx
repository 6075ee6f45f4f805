import { pick, useGraphiQL } from "@graphiql/react";
import { useEffect, useRef } from "react";

/** GraphiQL shows among the answers why there is no schema, and leaves it there when there is one. */
export function SchemaError() {
  const { fetchError, responseEditor } = useGraphiQL(pick("fetchError", "responseEditor"));
  const shown = useRef<string>(null);

  useEffect(() => {
    if (!fetchError && shown.current && responseEditor?.getValue() === shown.current) responseEditor.setValue("");
    shown.current = fetchError;
  }, [fetchError, responseEditor]);

  return null;
}
