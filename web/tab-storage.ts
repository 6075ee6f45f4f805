// State of this browser tab, shared by all pages opened in it: sessionStorage, or memory if the browser denies access to it.

function open(): Pick<Storage, "getItem" | "setItem" | "removeItem"> {
  try {
    return window.sessionStorage;
  } catch {
    const memory = new Map<string, string>();
    return {
      getItem: (key) => memory.get(key) ?? null,
      setItem: (key, value) => void memory.set(key, value),
      removeItem: (key) => void memory.delete(key),
    };
  }
}
export const tabStorage = open();

const TOKEN = "memberbase.token";

/** The API token; empty if there is none. */
export const token = {
  read: () => tabStorage.getItem(TOKEN) ?? "",
  write: (value: string) => (value ? tabStorage.setItem(TOKEN, value) : tabStorage.removeItem(TOKEN)),
};
