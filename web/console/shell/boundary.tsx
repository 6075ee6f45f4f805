import { Component, type ReactNode } from "react";

import { Failure } from "../ui/states";
import style from "./console.module.css";

interface State {
  error: unknown;
}

/** Where the page itself fails, it says so, and can be tried again. */
export class Boundary extends Component<{ children: ReactNode }, State> {
  override state: State = { error: undefined };

  static getDerivedStateFromError(error: unknown): State {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return (
      <div className={style.alone}>
        <Failure
          title="This page has failed"
          error={error}
          onRetry={() => this.setState({ error: undefined })}
        />
      </div>
    );
  }
}
