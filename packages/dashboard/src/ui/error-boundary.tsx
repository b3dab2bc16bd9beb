import { Component, type ReactNode } from "react";
import { Button } from "./button.tsx";
import { Empty } from "./notice.tsx";

interface Props {
  /** Where the page is: elsewhere it is tried anew. */
  readonly place: string;
  readonly children: ReactNode;
}

interface State {
  readonly failure: { readonly error: unknown } | undefined;
  readonly place: string;
}

/** What is drawn instead of a part of the page whose code has failed: the rest of the page goes on. */
export class ErrorBoundary extends Component<Props, State> {
  override state: State = { failure: undefined, place: this.props.place };

  static getDerivedStateFromError(error: unknown): Partial<State> {
    return { failure: { error } };
  }

  static getDerivedStateFromProps({ place }: Props, state: State): State | null {
    return place === state.place ? null : { failure: undefined, place };
  }

  override render(): ReactNode {
    const { failure } = this.state;
    if (failure === undefined) return this.props.children;
    const { error } = failure;
    return (
      <div role="alert">
        <Empty isPage title="This page has failed">
          <p className="break">
            <code>{error instanceof Error ? error.message : String(error)}</code>
          </p>
          <p>The fault is the page's own; your boxes go on.</p>
          <Button kind="primary" icon="again" onClick={() => this.setState({ failure: undefined })}>
            Try again
          </Button>
          <Button onClick={() => window.location.reload()}>Reload</Button>
        </Empty>
      </div>
    );
  }
}
