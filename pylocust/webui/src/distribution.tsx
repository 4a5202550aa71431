// How response times were spread over the whole run.
import { useState } from "react";
import { percent, percentile, whole } from "./format";
import { bandStartMs, rangeText } from "./heat";
import type { Bands } from "./types";

// Units are pixels, so that letters keep their size on a phone.
const WIDTH = Math.max(300, Math.min(1000, document.documentElement.clientWidth - 32));
const HEIGHT = 220;
const BOTTOM = 28;

function nameOf({ method, name }: Bands): string {
  return method || name !== "Aggregated" ? `${method} ${name}`.trim() : "All requests";
}

export function timeText(ms: number): string {
  return ms >= 10_000 ? `${(ms / 1000).toFixed(1)} s` : ms >= 100 ? `${whole(ms)} ms` : `${+ms.toPrecision(3)} ms`;
}

function Bars({ own }: { own: Bands }) {
  const first = own.bands.findIndex((count) => count > 0);
  // The last one is never empty.
  const last = own.bands.length - 1;
  // Room at both sides, so that a run of one band is no wall.
  const from = Math.max(0, first - 3);
  const bands = Array.from({ length: last + 4 - from }, (_, place) => from + place);
  const total = own.bands.reduce((sum, count) => sum + count, 0);
  const highest = Math.max(...own.bands);
  const width = WIDTH / bands.length;
  // Bands are as wide as each other on a logarithmic axis.
  const position = (ms: number) => {
    const above = bands.findIndex((one) => bandStartMs(one) > ms);
    const band = above > 0 ? bands[above - 1] : bands[above === 0 ? 0 : bands.length - 1];
    const [low, high] = [bandStartMs(band), bandStartMs(band + 1)];
    return (band - from + Math.min(1, Math.max(0, (ms - low) / (high - low)))) * width;
  };
  const every = Math.max(1, Math.ceil((bands.length * 100) / WIDTH));
  const marks = Object.entries(own.times).map(([part, ms]) => ({ part: Number(part), ms, left: position(ms) }));
  const summary = marks.map(({ part, ms }) => `${percentile(part)} within ${timeText(ms)}`).join(", ");
  return (
    <figure className="chart">
      <svg viewBox={`0 -40 ${WIDTH} ${HEIGHT + 40 + BOTTOM}`} className="bars" role="img" aria-label={`Response times of ${nameOf(own)}: ${summary}`}>
        {bands.map((band, place) => {
          const count = own.bands[band] ?? 0;
          const height = count > 0 ? Math.max(2, (HEIGHT * count) / highest) : 0;
          return (
            <g key={band}>
              <rect className="band" x={place * width + 0.5} y={HEIGHT - height} width={Math.max(1, width - 1)} height={height} />
              <rect className="touch" x={place * width} y={0} width={width} height={HEIGHT}>
                <title>{`${rangeText(bandStartMs(band), bandStartMs(band + 1))}: ${whole(count)} requests, ${percent(count / Math.max(1, total))}`}</title>
              </rect>
              {place % every === 0 && place * width < WIDTH - 60 && (
                <text x={place * width} y={HEIGHT + 20}>
                  {timeText(bandStartMs(band))}
                </text>
              )}
            </g>
          );
        })}
        <line className="axis" x1={0} x2={WIDTH} y1={HEIGHT} y2={HEIGHT} />
        {marks.map(({ part, ms, left }, place) => {
          const isLeft = left > WIDTH - 150;
          return (
            <g key={part}>
              <line className="mark" x1={left} x2={left} y1={-36 + 14 * place} y2={HEIGHT} />
              <text className="mark" x={isLeft ? left - 4 : left + 4} y={-26 + 14 * place} textAnchor={isLeft ? "end" : "start"}>
                {percentile(part)} {timeText(ms)}
              </text>
            </g>
          );
        })}
      </svg>
      <figcaption className="hint">
        {whole(total)} requests by their response time, on a logarithmic axis. {summary}.
      </figcaption>
    </figure>
  );
}

export function Distribution({ all }: { all: Bands[] }) {
  const [place, setPlace] = useState(0);
  const own = all[place];
  if (!own || !own.bands.some((count) => count > 0)) {
    return <p className="empty">No response time was measured.</p>;
  }
  return (
    <>
      <div className="tools">
        <label>
          Times of{" "}
          <select value={place} onChange={(event) => setPlace(Number(event.currentTarget.value))}>
            {all.map((bands, number) => (
              <option key={nameOf(bands)} value={number}>
                {nameOf(bands)}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Bars own={own} />
    </>
  );
}
