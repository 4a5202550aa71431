import { type MutableRefObject, useEffect, useRef, useState } from "react";
import { absorb, type Timeline, type TimelineAnswer } from "./timeline";

const PATIENCE_MS = 10_000;

/** A server that answers, but not with what was asked for. */
class Refused extends Error {}

/** Somebody who is not logged in any more: the page itself is asked for again, which leads to the login and back. */
function checkLogin(response: Response) {
  if (response.redirected && new URL(response.url).pathname.endsWith("/login")) {
    window.location.reload();
    throw new Error("You have been logged out.");
  }
}

/** Asks for JSON. */
export async function get<T>(path: string): Promise<T> {
  const response = await fetch(`./${path}`, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE_MS) });
  checkLogin(response);
  if (!response.ok) {
    throw new Refused(await reasonIn(response));
  }
  return response.json();
}

/** Why something was not done: the message of an answer in JSON, or the text of any other but a page. */
async function reasonIn(response: Response): Promise<string> {
  const text = await response.text();
  const kind = response.headers.get("Content-Type") ?? "";
  const reason = kind.startsWith("application/json") ? JSON.parse(text).message : kind.startsWith("text/html") ? "" : text;
  return String(reason ?? "").slice(0, 500) || `${response.status} ${response.statusText}`.trim();
}

export async function post(path: string, body?: URLSearchParams | string): Promise<Response> {
  const headers: Record<string, string> = typeof body === "string" ? { "Content-Type": "application/json" } : {};
  let response: Response;
  try {
    response = await fetch(`./${path}`, { method: "POST", body, headers });
  } catch {
    throw new Error("The connection is lost; this was not done.");
  }
  checkLogin(response);
  if (!response.ok) {
    throw new Error(await reasonIn(response));
  }
  return response;
}

interface Polled<T> {
  value: T | null;
  /** Whether nobody answered the last time. */
  isLost: boolean;
  /** What the server said instead of an answer. */
  refusal: string;
}

/** Whether the page can be seen: not in a tab behind others, nor in a window that is put away. */
function useSight(): boolean {
  const [isSeen, setSeen] = useState(!document.hidden);
  useEffect(() => {
    const look = () => setSeen(!document.hidden);
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);
  return isSeen;
}

interface Wish<T> {
  everyMs: number;
  isOn?: boolean;
  /** Asks at once when it changes. */
  turn?: number;
  /** Also while nobody sees the page. */
  isUnseen?: boolean;
  onValue?: (value: T) => void;
}

/** The latest answer of an endpoint, asked for again so long after each answer. */
export function usePoll<T>(path: string | (() => string), { everyMs, isOn: isWanted = true, turn = 0, isUnseen = false, onValue }: Wish<T>): Polled<T> {
  const [polled, setPolled] = useState<Polled<T>>({ value: null, isLost: false, refusal: "" });
  const isSeen = useSight();
  const isOn = isWanted && (isSeen || isUnseen);
  const latest = useRef({ path, onValue });
  latest.current = { path, onValue };
  useEffect(() => {
    let timer = 0;
    let isOver = !isOn;
    async function ask() {
      try {
        const { path } = latest.current;
        const value = await get<T>(typeof path === "string" ? path : path());
        if (!isOver) {
          latest.current.onValue?.(value);
          setPolled({ value, isLost: false, refusal: "" });
        }
      } catch (error) {
        if (!isOver) {
          const refusal = error instanceof Refused ? error.message : "";
          setPolled((before) => ({ ...before, isLost: refusal === "", refusal }));
        }
      }
      if (!isOver) {
        timer = window.setTimeout(ask, everyMs);
      }
    }
    if (isOn) {
      ask();
    }
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [typeof path === "string" ? path : "", everyMs, isOn, turn]);
  return polled;
}

/** What happened when. Only what is new is asked for; what is known is kept in `store`. */
export function useTimeline(store: MutableRefObject<Timeline>, everyMs: number, turn: number): Timeline {
  const [timeline, setTimeline] = useState(store.current);
  const path = () => `stats/timeline?generation=${store.current.generation}&since=${store.current.samples.length}`;
  usePoll<TimelineAnswer>(path, {
    everyMs,
    turn,
    onValue: (answer) => {
      const known = store.current;
      const isMore = answer.generation === known.generation && answer.first === known.samples.length;
      if (!isMore || answer.samples.length > 0 || answer.marks.length !== known.marks.length || answer.marks.at(-1)?.time !== known.marks.at(-1)?.time) {
        store.current = absorb(known, answer);
        setTimeline(store.current);
      }
    },
  });
  return timeline;
}
