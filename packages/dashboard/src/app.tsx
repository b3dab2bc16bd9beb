import { lazy, Suspense } from "react";
import { Redirect, Route, Switch, useLocation } from "wouter";
import { BoxCommands } from "./components/box-commands.tsx";
import { Shell } from "./components/shell.tsx";
import { BoxesPage } from "./pages/boxes-page.tsx";
import { ErrorBoundary } from "./ui/error-boundary.tsx";
import { Empty, Waiting } from "./ui/notice.tsx";

const BoxPage = lazy(() => import("./pages/box/box-page.tsx").then(({ BoxPage }) => ({ default: BoxPage })));
const CreatePage = lazy(() => import("./pages/create-page.tsx").then(({ CreatePage }) => ({ default: CreatePage })));
const RunPage = lazy(() => import("./pages/run-page.tsx").then(({ RunPage }) => ({ default: RunPage })));
const ImagesPage = lazy(() => import("./pages/images-page.tsx").then(({ ImagesPage }) => ({ default: ImagesPage })));
const HistoryPage = lazy(() =>
  import("./pages/history-page.tsx").then(({ HistoryPage }) => ({ default: HistoryPage })),
);
const ServerPage = lazy(() => import("./pages/server-page.tsx").then(({ ServerPage }) => ({ default: ServerPage })));

export function App() {
  const [location] = useLocation();
  return (
    <ErrorBoundary place={location}>
      <BoxCommands>
        <Shell>
          <ErrorBoundary place={location}>
            <Suspense fallback={<Waiting what="Loading this page" />}>
              <Switch>
                <Route path="/">
                  <Redirect to="/boxes" replace />
                </Route>
                <Route path="/boxes">
                  <BoxesPage />
                </Route>
                <Route path="/boxes/:id/:tab?">
                  {({ id, tab }) => <BoxPage key={id} id={decodeURIComponent(id)} tab={tab} />}
                </Route>
                <Route path="/create">
                  <CreatePage />
                </Route>
                <Route path="/run">
                  <RunPage />
                </Route>
                <Route path="/images">
                  <ImagesPage />
                </Route>
                <Route path="/history">
                  <HistoryPage />
                </Route>
                <Route path="/server">
                  <ServerPage />
                </Route>
                <Route>
                  <Empty isPage title="There is no such page">
                    <a href="#/boxes">To the boxes</a>
                  </Empty>
                </Route>
              </Switch>
            </Suspense>
          </ErrorBoundary>
        </Shell>
      </BoxCommands>
    </ErrorBoundary>
  );
}
