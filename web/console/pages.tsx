// Every page of the console, in the order of the navigation. A new page needs an entry here and a component.

import { type ComponentType, type LazyExoticComponent, lazy } from "react";

import type { Access } from "./gql/graphql";
import type { IconName } from "./ui/icon";

interface Common {
  /** The last segment of the address. */
  path: string;
  label: string;
  icon: IconName;
  /** The page is hidden from tokens with less access. */
  requiredAccess: Access;
}

/** A page within a memberbase: #/memberbases/mb_…/PATH */
export interface MemberbasePage extends Common {
  component: LazyExoticComponent<ComponentType<{ memberbase: CurrentMemberbase }>>;
}

/** A page for the whole server: #/PATH */
export interface ServerPage extends Common {
  /** Whether the page is shown to tokens that are bound to one memberbase. */
  allowsBoundTokens: boolean;
  component: LazyExoticComponent<ComponentType>;
}

export interface CurrentMemberbase {
  id: string;
  name: string;
}

export const SERVER_PAGES: ServerPage[] = [
  {
    path: "memberbases",
    label: "Memberbases",
    icon: "memberbase",
    requiredAccess: "READ",
    allowsBoundTokens: false,
    component: lazy(() => import("./memberbases/memberbases-page")),
  },
  {
    path: "tokens",
    label: "API tokens",
    icon: "token",
    requiredAccess: "ADMIN",
    allowsBoundTokens: true,
    component: lazy(() => import("./tokens/tokens-page")),
  },
];

export const MEMBERBASE_PAGES: MemberbasePage[] = [
  {
    path: "members",
    label: "Members",
    icon: "members",
    requiredAccess: "READ",
    component: lazy(() => import("./members/members-page")),
  },
  {
    path: "import",
    label: "Import",
    icon: "import",
    requiredAccess: "WRITE",
    component: lazy(() => import("./import/import-page")),
  },
  {
    path: "attributes",
    label: "Attributes",
    icon: "attributes",
    requiredAccess: "READ",
    component: lazy(() => import("./attributes/attributes-page")),
  },
  {
    path: "syncs",
    label: "Syncs",
    icon: "sync",
    requiredAccess: "READ",
    component: lazy(() => import("./syncs/syncs-page")),
  },
];
