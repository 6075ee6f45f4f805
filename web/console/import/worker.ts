// The worker that runs imports outside the page's thread, one at a time.

import { run, type Job, type Progress, type Result } from "./run";

export type Order = { start: Job } | "stop";
export type News = { progress: Progress } | { result: Result };

const EVERY = 100;

// The DOM's types know windows alone.
const here = self as unknown as {
  onmessage: ((event: MessageEvent<Order>) => void) | null;
  postMessage: (news: News) => void;
};

let stop = new AbortController();

here.onmessage = ({ data: order }) => {
  if (order === "stop") {
    stop.abort();
    return;
  }
  stop = new AbortController();
  let told = -EVERY;
  const tell = (progress: Progress) => {
    const now = performance.now();
    if (now - told < EVERY && progress.waiting === null) return;
    told = now;
    here.postMessage({ progress });
  };
  void run(order.start, stop.signal, tell).then((result) => here.postMessage({ result }));
};
