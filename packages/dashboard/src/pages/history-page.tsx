import { HistoryList } from "../components/history-list.tsx";
import { Page } from "../ui/page.tsx";

export function HistoryPage() {
  return (
    <Page title="History">
      <HistoryList />
    </Page>
  );
}
