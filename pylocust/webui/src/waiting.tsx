/** What stands where an answer has not come yet. */
export function Waiting({ refusal }: { refusal: string }) {
  return refusal ? (
    <p className="notice" role="alert">
      The server does not tell this: {refusal}
    </p>
  ) : (
    <p className="empty">Loading…</p>
  );
}
