// Hash routing: the fragment of the address, which is not sent to the server, selects the page:
// #/memberbases/mb_…/members?ref=a

import { useMemo, useSyncExternalStore } from "react";

export interface Route {
  path: string[];
  search: URLSearchParams;
}

type Parameters = URLSearchParams | Record<string, string | undefined>;

/** Returns the address of a page, for links. */
export function href(path: string[], parameters: Parameters = {}): string {
  const search = parameters instanceof URLSearchParams ? parameters : new URLSearchParams(definedEntries(parameters));
  const query = search.toString();
  return `#/${path.map(encodeURIComponent).join("/")}${query && `?${query}`}`;
}

function definedEntries(parameters: Record<string, string | undefined>) {
  return Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined);
}

export function parse(hash: string): Route {
  const [path = "", query = ""] = split(hash.replace(/^#\/?/, ""));
  return { path: path.split("/").filter(Boolean).map(decode), search: new URLSearchParams(query) };
}

function split(text: string) {
  const at = text.indexOf("?");
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(text: string) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Opens a page; `replace` replaces the current history entry instead of adding one. */
export function navigate(to: string, { replace = false } = {}) {
  if (to === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  dispatchEvent(new Event("navigated"));
}

function subscribe(listener: () => void) {
  const events = ["hashchange", "popstate", "navigated"];
  events.forEach((event) => addEventListener(event, listener));
  return () => events.forEach((event) => removeEventListener(event, listener));
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  return useMemo(() => parse(hash), [hash]);
}
