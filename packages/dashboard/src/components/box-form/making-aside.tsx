import type { Failure } from "../../api/failure.ts";
import type { PullLayers } from "../../api/pull-layers.ts";
import { Notice } from "../../ui/notice.tsx";
import { Card } from "../../ui/page.tsx";
import { PullView } from "../pull-view.tsx";

/** What there is to say while a box is made: why it was not, and how far its image is. */
export function MakingAside(props: { readonly failure: Failure | undefined; readonly layers: PullLayers | undefined }) {
  const { failure, layers } = props;
  return (
    <>
      {failure !== undefined && (
        <Notice kind="bad" title={failure.message}>
          {failure.hint}
        </Notice>
      )}
      {layers !== undefined && (
        <Card title="Pulling the image">
          <PullView layers={layers} />
        </Card>
      )}
    </>
  );
}
