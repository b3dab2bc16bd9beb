import type { ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { useConnection } from "../api/connection.ts";
import { useInfo } from "../api/server.ts";
import { Icon } from "../ui/icon.tsx";
import { Toasts } from "../ui/toasts.tsx";
import { classes } from "../util/classes.ts";
import { ConnectionBar, ConnectionDot } from "./connection-bar.tsx";
import { Keyboard } from "./keyboard.tsx";
import { places } from "./places.ts";
import { SignedOut } from "./signed-out.tsx";
import "./shell.css";

/** What is around every page: where one can go, and how the page stands with the server. */
export function Shell({ children }: { readonly children: ReactNode }) {
  const connection = useConnection();
  return (
    <div className="shell">
      <button type="button" className="skip" onClick={toContent}>
        Skip to the content
      </button>
      <nav className="nav" aria-label="Main">
        <Link className="brand" to="/boxes" aria-label="BoxRun">
          <img src="./icon.svg" alt="" width="24" height="24" />
          <span>BoxRun</span>
        </Link>
        <ul>
          {places.map((place) => (
            <PlaceLink key={place.to} place={place} />
          ))}
        </ul>
        <ServerLine />
      </nav>
      <main id="content" className="content" tabIndex={-1}>
        <ConnectionBar />
        {connection.state === "signed-out" ? <SignedOut why={connection.why} /> : children}
      </main>
      <Toasts />
      <Keyboard />
    </div>
  );
}

function toContent(): void {
  document.getElementById("content")?.focus();
}

function PlaceLink({ place: { to, name, icon } }: { readonly place: (typeof places)[number] }) {
  const [location] = useLocation();
  const isHere = location === to || location.startsWith(`${to}/`);
  return (
    <li>
      <Link to={to} className={classes("place", isHere && "place-here")} aria-current={isHere ? "page" : undefined}>
        <Icon name={icon} />
        <span>{name}</span>
      </Link>
    </li>
  );
}

function ServerLine() {
  const info = useInfo();
  return (
    <div className="server-line">
      <ConnectionDot />
      {info !== undefined && (
        <span className="quiet small">
          {info.version} · {info.engine.name}
        </span>
      )}
    </div>
  );
}
