import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { Dialog, Modal, ModalOverlay } from "react-aria-components";

import { queryFor } from "../api/queries";
import { MEMBERBASE_PAGES, SERVER_PAGES } from "../pages";
import { href, useRoute } from "../router";
import { signOut } from "../session";
import { hasAccess, useToken } from "../token";
import { Button, IconButton } from "../ui/button";
import { Icon, type IconName } from "../ui/icon";
import { Badge } from "../ui/page";
import { FindMemberbase } from "./content";
import style from "./layout.module.css";
import { Logo } from "./logo";

/** The navigation next to the page; on a phone in a drawer. */
export function Layout({ children }: { children: ReactNode }) {
  const { path } = useRoute();
  const [open, setOpen] = useState(false);
  const address = path.join("/");
  useEffect(() => setOpen(false), [address]);
  return (
    <div className={style.frame}>
      <a
        href="#main"
        className={style.skip}
        onClick={(event) => {
          // The fragment holds the page's address, so the link must not change it.
          event.preventDefault();
          document.getElementById("main")?.focus();
        }}
      >
        Skip to content
      </a>
      <header className={style.bar}>
        <IconButton icon="menu" label="Navigation" onPress={() => setOpen(true)} />
        <Logo />
      </header>
      <header className={style.side}>
        <Navigation />
      </header>
      <ModalOverlay isOpen={open} onOpenChange={setOpen} isDismissable className={style.overlay!}>
        <Modal className={style.drawer!}>
          <Dialog aria-label="Navigation" className={style.drawerContent!}>
            <Navigation />
          </Dialog>
        </Modal>
      </ModalOverlay>
      <main id="main" tabIndex={-1} className={style.main}>
        {children}
      </main>
    </div>
  );
}

function Navigation() {
  const { path } = useRoute();
  const token = useToken();
  const [section, id, name = "members"] = path;
  const memberbaseId = section === "memberbases" ? id : undefined;
  const serverPages = SERVER_PAGES.filter(
    (page) => hasAccess(token, page.requiredAccess) && (page.allowsBoundTokens || !token.memberbaseId),
  );
  const within = memberbaseId ?? token.memberbaseId;
  return (
    <div className={style.navigation}>
      <Logo />
      <nav aria-label="Main">
        {serverPages.length > 0 && (
          <ul>
            {serverPages.map((page) => (
              <Item
                key={page.path}
                {...page}
                href={href([page.path])}
                current={section === page.path && !memberbaseId}
              />
            ))}
          </ul>
        )}
        {within && (
          <>
            <MemberbaseName id={within} />
            <ul>
              {MEMBERBASE_PAGES.filter((page) => hasAccess(token, page.requiredAccess)).map((page) => (
                <Item
                  key={page.path}
                  {...page}
                  href={href(["memberbases", within, page.path])}
                  current={memberbaseId === within && name === page.path}
                />
              ))}
            </ul>
          </>
        )}
      </nav>
      <div className={style.token}>
        <div className={style.identity}>
          <span className={style.description} title={token.description}>
            {token.description || "Token"}
          </span>
          <Badge tone="accent">{token.access}</Badge>
        </div>
        <Button variant="quiet" icon="sign-out" onPress={signOut}>
          Sign out
        </Button>
      </div>
    </div>
  );
}

function MemberbaseName({ id }: { id: string }) {
  const { data } = useQuery(queryFor(id, FindMemberbase, { id }));
  return (
    <p className={style.within} title={data?.memberbase?.name}>
      {data?.memberbase?.name ?? "Memberbase"}
    </p>
  );
}

function Item({ href, label, icon, current }: { href: string; label: string; icon: IconName; current: boolean }) {
  return (
    <li>
      <a href={href} className={style.item} aria-current={current ? "page" : undefined}>
        <Icon name={icon} />
        {label}
      </a>
    </li>
  );
}
