import "./styles/tokens.css";
import "./styles/base.css";
import "./ui/field.css";
import "./ui/table.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Router } from "wouter";
import { useHashLocation } from "wouter/use-hash-location";
import { client } from "./api/client.ts";
import { isLostConnection, isSignedOut } from "./api/failure.ts";
import { keepLive } from "./api/live.ts";
import { reloadWhenOutdated } from "./api/outdated.ts";
import { signInByLink } from "./api/sign-in.ts";
import { App } from "./app.tsx";
import { ignoreStrayDrops } from "./ui/file-drop.ts";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What is known is kept right by the server's events; `keepLive` has all of it read anew after a loss.
      staleTime: Number.POSITIVE_INFINITY,
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      retry: (failures, error) => failures < 2 && isLostConnection(error) && !isSignedOut(error),
    },
  },
});

reloadWhenOutdated();
ignoreStrayDrops();
await signInByLink();
void keepLive({ client, queries, signal: new AbortController().signal });

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Router hook={useHashLocation}>
        <App />
      </Router>
    </QueryClientProvider>
  </StrictMode>,
);
