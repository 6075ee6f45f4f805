// Starts an import in a worker, and passes its progress and result to the page.

import type { Job, Progress, Result } from "./run";
import type { News, Order } from "./worker";

export interface Import {
  /** What became of it; never fails. */
  result: Promise<Result>;
  /** Asks it to end: what is in flight is waited for. */
  stop: () => void;
  /** Ends it at once, for a page that goes away. */
  kill: () => void;
}

export function start(job: Job, tell: (progress: Progress) => void): Import {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "import" });
  const order = (order: Order) => worker.postMessage(order);
  let last: Progress | null = null;
  const result = new Promise<Result>((resolve) => {
    worker.onmessage = ({ data: news }: MessageEvent<News>) => {
      if ("progress" in news) {
        last = news.progress;
        tell(last);
        return;
      }
      worker.terminate();
      resolve(news.result);
    };
    worker.onerror = (event) => {
      worker.terminate();
      const problem = { message: event.message || "the import ended unexpectedly", code: "", traceId: null };
      resolve({ ...(last ?? nothing(job)), end: "failed", problem, rejects: [], rejectsFile: new Blob() });
    };
  });
  order({ start: job });
  return { result, stop: () => order("stop"), kill: () => worker.terminate() };
}

function nothing({ file }: Job): Progress {
  const outcomes = { created: 0, updated: 0, unchanged: 0, stale: 0, skipped: 0 };
  const rows = { read: 0, done: 0, rejected: 0, ofNobody: 0 };
  return { ...outcomes, ...rows, bytes: 0, size: file.size, seconds: 0, waiting: null };
}
