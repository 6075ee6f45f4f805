// What is remembered for this tab of the browser alone: in sessionStorage, or where that is refused as long as the page is
// there. All pages in the tab share it.

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

/** The API token; empty where there is none. */
export const token = {
  read: () => tabStorage.getItem(TOKEN) ?? "",
  write: (value: string) => (value ? tabStorage.setItem(TOKEN, value) : tabStorage.removeItem(TOKEN)),
};
