import { useEffect, useRef, useState } from "react";

/** Asks for JSON; somebody who is not logged in any more is sent to the login page. */
export async function get<T>(path: string): Promise<T> {
  const response = await fetch(`./${path}`, { headers: { Accept: "application/json" } });
  if (response.redirected && new URL(response.url).pathname.endsWith("/login")) {
    window.location.href = response.url;
  }
  if (!response.ok) {
    throw new Error(`${path}: ${response.status}`);
  }
  return response.json();
}

export async function post(path: string, fields?: [string, string][]): Promise<Response> {
  const response = await fetch(`./${path}`, { method: "POST", body: fields && new URLSearchParams(fields) });
  if (!response.ok) {
    throw new Error((await response.text()) || `${path}: ${response.status}`);
  }
  return response;
}

export interface Polled<T> {
  value: T | null;
  isLost: boolean;
}

/** The latest answer of an endpoint, asked for again so long after each answer; `turn` asks at once when it changes. */
export function usePoll<T>(path: string, everyMs: number, isOn: boolean, turn = 0, onValue?: (value: T) => void): Polled<T> {
  const [polled, setPolled] = useState<Polled<T>>({ value: null, isLost: false });
  const listener = useRef(onValue);
  listener.current = onValue;
  useEffect(() => {
    let timer = 0;
    let isOver = !isOn;
    async function ask() {
      try {
        const value = await get<T>(path);
        if (!isOver) {
          listener.current?.(value);
          setPolled({ value, isLost: false });
        }
      } catch {
        if (!isOver) {
          setPolled((before) => ({ ...before, isLost: true }));
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
  }, [path, everyMs, isOn, turn]);
  return polled;
}
