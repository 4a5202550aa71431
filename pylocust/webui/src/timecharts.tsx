// The page of charts: all over one time axis, which is zoomed and moved for all of them.
import { type KeyboardEvent, useMemo, useState } from "react";
import type uPlot from "uplot";
import { percentile, short } from "./format";
import { bandStartMs, describe, extentMs, pictureOf, pixelsOf, shade } from "./heat";
import { useKept } from "./memory";
import { type Line, Plot } from "./plot";
import { ALL, badSpans, columns, panned, type Range, rangeOf, reasonRates, runsOf, type Sample, type Timeline, type View, within, zoomed } from "./timeline";

// Told apart by those who do not see all colours, on both backgrounds; dashes tell the rest apart.
export const COLORS = ["#2a7fc4", "#d9730d", "#0f9d76", "#b65a92", "#8a7a00", "#5b6ee1"];
const DASHES = [undefined, [8, 4], [2, 3]];

type Value = (sample: Sample, place: number) => number | null;

interface Chart {
  title: string;
  lines: Line[];
  values: (samples: Sample[]) => Value[];
}

function chartsOf(percentiles: number[], reasons: string[], hasGenerator: boolean): Chart[] {
  const color = (place: number) => COLORS[place % COLORS.length];
  return [
    {
      title: "Requests per second",
      lines: [
        { label: "Requests/s", color: color(0), unit: "/s" },
        { label: "Failures/s", color: color(1), unit: "/s", dash: DASHES[1] },
      ],
      values: () => [(sample) => sample.rps, (sample) => sample.failures_per_s],
    },
    {
      title: "Response times (ms)",
      lines: percentiles.map((part, place) => ({ label: percentile(part), color: color(place + 2), unit: " ms", dash: DASHES[place % 3] })),
      values: () => percentiles.map((_, place) => (sample) => sample.percentiles[place] ?? null),
    },
    { title: "Users", lines: [{ label: "Users", color: color(0), unit: "" }], values: () => [(sample) => sample.users] },
    ...(reasons.length > 0
      ? [
          {
            title: "Failures per second by reason",
            lines: reasons.map((reason, place) => ({
              label: reason.length > 70 ? `${reason.slice(0, 67)}…` : reason,
              color: color(place + 1),
              unit: "/s",
              dash: DASHES[Math.floor(place / COLORS.length) % 3],
            })),
            values: (samples: Sample[]) =>
              reasons.map((_, reason): Value => {
                const rates = reasonRates(samples, reason);
                return (_, place) => rates[place];
              }),
          },
        ]
      : []),
    ...(hasGenerator
      ? [
          {
            title: "The generator itself: CPU (%), lag (ms, on the right)",
            lines: [
              { label: "CPU of the busiest process", color: color(0), unit: " %" },
              { label: "Lag", color: color(1), unit: " ms", dash: DASHES[1], isRight: true },
            ],
            values: () => [(sample: Sample) => sample.cpu, (sample: Sample) => sample.lag_ms],
          },
        ]
      : []),
  ];
}

function HeatLegend({ isDark }: { isDark: boolean }) {
  return (
    <span className="heat-legend" aria-hidden="true">
      few
      {[0.01, 0.05, 0.15, 0.35, 0.6].map((share) => (
        <span key={share} style={{ background: `rgb(${shade(share, isDark)})` }} />
      ))}
      many of the requests of that moment
    </span>
  );
}

interface Props {
  timeline: Timeline;
  isDark: boolean;
}

export function TimeCharts({ timeline, isDark }: Props) {
  const { samples, marks, percentiles, reasons } = timeline;
  const [view, setView] = useKept<View>("charts", ALL);
  const [point, setPoint] = useState<Range | null>(null);
  const hasGenerator = samples.some((sample) => sample.cpu !== null);
  const hasHeat = useMemo(() => samples.some((sample) => sample.heat.length > 0), [samples]);
  const names = JSON.stringify([percentiles, reasons, hasGenerator]);
  const charts = useMemo(() => chartsOf(percentiles, reasons, hasGenerator), [names]);
  const data = useMemo(() => charts.map((chart) => columns(samples, chart.values(samples))), [charts, samples]);
  const bad = useMemo(() => badSpans(samples), [samples]);
  const runs = useMemo(() => runsOf(samples), [samples]);
  const range = rangeOf(view, samples);
  const heatMs = useMemo(() => extentMs(samples, range), [samples, range[0], range[1]]);
  if (samples.length === 0) {
    return <p className="empty">There is nothing to draw yet: charts begin a few seconds after a test does.</p>;
  }

  const show = (next: Range) => setView({ kind: "range", range: next });
  const shared = {
    range,
    marks,
    bad,
    isDark,
    onRange: (next: Range | null) => (next ? show(within(next, rangeOf(ALL, samples))) : setView(ALL)),
    onPan: (share: number) => show(panned(range, share, samples)),
    onZoom: (factor: number, at: number) => show(zoomed(range, factor, samples, at)),
  };
  const paint = (plot: uPlot) => {
    const { ctx, bbox } = plot;
    const picture = pictureOf(samples, range, Math.round(bbox.width));
    if (picture) {
      const canvas = new OffscreenCanvas(picture.width, picture.height);
      const pixels = new ImageData(pixelsOf(picture, isDark) as ImageDataArray, picture.width, picture.height);
      canvas.getContext("2d")?.putImageData(pixels, 0, 0);
      ctx.imageSmoothingEnabled = false;
      for (let row = 0; row < picture.height; row++) {
        const top = plot.valToPos(bandStartMs(picture.lowest + row + 1), "y", true);
        const bottom = plot.valToPos(bandStartMs(picture.lowest + row), "y", true);
        ctx.drawImage(canvas, 0, row, picture.width, 1, bbox.left, top, bbox.width, bottom - top);
      }
    }
  };
  const summary = (place: number) =>
    `at the end: ${charts[place].lines.map((line, number) => `${line.label} ${short(data[place][number + 1].at(-1) ?? 0)}${line.unit}`).join(", ")}`;

  function onKey(event: KeyboardEvent) {
    const actions: Record<string, () => void> = {
      ArrowLeft: () => shared.onPan(-0.2),
      ArrowRight: () => shared.onPan(0.2),
      "+": () => shared.onZoom(0.5, 0.5),
      "-": () => shared.onZoom(2, 0.5),
      Home: () => setView(ALL),
    };
    const action = event.target === event.currentTarget ? actions[event.key] : undefined;
    if (action) {
      event.preventDefault();
      action();
    }
  }

  const chosen = view.kind === "range" ? "range" : view.kind === "run" ? `run ${view.run}` : view.kind === "last" ? `last ${view.seconds}` : "all";
  function choose(value: string) {
    const [kind, number] = value.split(" ");
    setView(kind === "run" ? { kind: "run", run: Number(number) } : kind === "last" ? { kind: "last", seconds: Number(number) } : ALL);
  }

  return (
    <>
      <div className="tools" role="group" aria-label="Time shown">
        <label>
          Show{" "}
          <select value={chosen} onChange={(event) => choose(event.target.value)}>
            <option value="all">{runs.length > 1 ? "all tests" : "all"}</option>
            <option value="last 300">the last 5 minutes</option>
            <option value="last 1800">the last 30 minutes</option>
            {runs.length > 1 &&
              runs.map((run) => (
                <option key={run} value={`run ${run}`}>
                  test {run}
                </option>
              ))}
            {chosen === "range" && <option value="range">what was chosen</option>}
          </select>
        </label>
        <button type="button" className="tool" onClick={() => shared.onPan(-0.5)} aria-label="Earlier">
          ◀
        </button>
        <button type="button" className="tool" onClick={() => shared.onPan(0.5)} aria-label="Later">
          ▶
        </button>
        <button type="button" className="tool" onClick={() => shared.onZoom(0.5, 0.5)} aria-label="Zoom in">
          +
        </button>
        <button type="button" className="tool" onClick={() => shared.onZoom(2, 0.5)} aria-label="Zoom out">
          −
        </button>
        <button type="button" className="tool" onClick={() => setView(ALL)} disabled={chosen === "all"}>
          Show all
        </button>
        <span className="hint">
          <span className="for-mouse">Drag over a chart to zoom in; with Shift, to move.</span>
          <span className="for-fingers">Tap a chart to read it, drag to move, spread two fingers to zoom.</span>
          {bad.length > 0 && " Red: the generator was too busy, numbers may be its own."}
        </span>
      </div>
      {/* Arrow keys move, plus and minus zoom. */}
      <div className="charts" tabIndex={0} role="group" aria-label="Charts; arrow keys move, plus and minus zoom, Home shows all" onKeyDown={onKey}>
        {charts.slice(0, 2).map((chart, place) => (
          <Plot key={chart.title} {...shared} title={chart.title} lines={chart.lines} data={data[place]} summary={summary(place)} />
        ))}
        {hasHeat && (
          <Plot
            {...shared}
            title="Response times (ms), how many took how long"
            lines={charts[1].lines}
            data={data[1]}
            logRange={heatMs}
            paint={paint}
            onPoint={setPoint}
            summary={summary(1)}
          >
            <p className="hint heat-words">
              <HeatLegend isDark={isDark} />
              <span>{point ? describe(samples, point[0], point[1]) : ""}</span>
            </p>
          </Plot>
        )}
        {charts.slice(2).map((chart, place) => (
          <Plot key={chart.title} {...shared} title={chart.title} lines={chart.lines} data={data[place + 2]} summary={summary(place + 2)} />
        ))}
      </div>
    </>
  );
}
