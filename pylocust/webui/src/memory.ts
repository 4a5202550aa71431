// What the reader chose is remembered by the browser.
import { useState } from "react";

function remembered(name: string | undefined): string[] | null {
  try {
    const text = name === undefined ? null : localStorage.getItem(`cload.${name}`);
    const value = text === null ? null : JSON.parse(text);
    return Array.isArray(value) ? value.map(String) : null;
  } catch {
    return null;
  }
}

function remember(name: string | undefined, value: string[]) {
  try {
    if (name !== undefined) {
      localStorage.setItem(`cload.${name}`, JSON.stringify(value));
    }
  } catch {
    // A page from a file or a private window may not store anything.
  }
}

const KEPT = new Map<string, unknown>();

/** A state that lives as long as the page, also while nothing is drawn that has it. */
export function useKept<Value>(name: string, initial: Value) {
  const [value, setValue] = useState(() => (KEPT.has(name) ? (KEPT.get(name) as Value) : initial));
  function keep(next: Value) {
    KEPT.set(name, next);
    setValue(next);
  }
  return [value, keep] as const;
}

/** A set of choices; without a name it lives as long as the page. */
export function useMemory(name: string | undefined, initial: string[]) {
  const [value, setValue] = useState(() => new Set(remembered(name) ?? initial));
  function toggle(item: string) {
    const next = new Set(value);
    if (!next.delete(item)) {
      next.add(item);
    }
    setValue(next);
    remember(name, [...next]);
  }
  return [value, toggle] as const;
}
