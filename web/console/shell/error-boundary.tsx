import { Component, type ReactNode } from "react";

import { Failure } from "../ui/states";
import style from "./console.module.css";

interface State {
  error: unknown;
}

/** Shows an error and a retry button if rendering throws. */
export class ErrorBoundary extends Component<{ children: ReactNode }, State> {
  override state: State = { error: undefined };

  static getDerivedStateFromError(error: unknown): State {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return (
      <div className={style.centered}>
        <Failure
          title="Something went wrong on this page"
          error={error}
          onRetry={() => this.setState({ error: undefined })}
        />
      </div>
    );
  }
}
