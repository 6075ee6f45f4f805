// Every page of the console, in the order of the navigation. A new one is a line here and a component.

import { type ComponentType, type LazyExoticComponent, lazy } from "react";

import type { Access } from "./gql/graphql";
import type { IconName } from "./ui/icon";

interface Common {
  /** The last part of its address. */
  path: string;
  label: string;
  icon: IconName;
  /** Tokens with less access do not see it. */
  needs: Access;
}

/** A page within a memberbase: #/memberbases/mb_…/PATH */
export interface MemberbasePage extends Common {
  component: LazyExoticComponent<ComponentType<{ memberbase: CurrentMemberbase }>>;
}

/** A page of the whole server: #/PATH */
export interface ServerPage extends Common {
  /** Whether a token that is bound to one memberbase sees it. */
  forBound: boolean;
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
    needs: "READ",
    forBound: false,
    component: lazy(() => import("./memberbases/memberbases-page")),
  },
  {
    path: "tokens",
    label: "API tokens",
    icon: "token",
    needs: "ADMIN",
    forBound: true,
    component: lazy(() => import("./tokens/tokens-page")),
  },
];

export const MEMBERBASE_PAGES: MemberbasePage[] = [
  {
    path: "members",
    label: "Members",
    icon: "members",
    needs: "READ",
    component: lazy(() => import("./members/members-page")),
  },
  {
    path: "import",
    label: "Import",
    icon: "import",
    needs: "WRITE",
    component: lazy(() => import("./import/import-page")),
  },
  {
    path: "attributes",
    label: "Attributes",
    icon: "attributes",
    needs: "READ",
    component: lazy(() => import("./attributes/attributes-page")),
  },
  {
    path: "syncs",
    label: "Syncs",
    icon: "sync",
    needs: "READ",
    component: lazy(() => import("./syncs/syncs-page")),
  },
];
