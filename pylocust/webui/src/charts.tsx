import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { percentile, short } from "./format";
import type { Series } from "./series";

export interface Marker {
  time: number;
  text: string;
}

interface Line {
  label: string;
  column: number;
  color: string;
}

interface Chart {
  title: string;
  unit: string;
  lines: Line[];
}

// Told apart by those who do not see all colours, on both backgrounds.
const COLORS = ["#2a7fc4", "#d9730d", "#0f9d76", "#b65a92", "#8a7a00", "#5b6ee1"];

function charts(percentiles: number[]): Chart[] {
  return [
    {
      title: "Requests per second",
      unit: "/s",
      lines: [
        { label: "Requests/s", column: 1, color: COLORS[0] },
        { label: "Failures/s", column: 2, color: COLORS[1] },
      ],
    },
    {
      title: "Response times",
      unit: " ms",
      lines: percentiles.map((part, place) => ({
        label: percentile(part),
        column: 4 + place,
        color: COLORS[(place + 2) % COLORS.length],
      })),
    },
    { title: "Users", unit: "", lines: [{ label: "Users", column: 3, color: COLORS[0] }] },
  ];
}

type Range = [number, number] | null;

interface PlotProps {
  chart: Chart;
  series: Series;
  markers: Marker[];
  range: Range;
  onRange: (range: Range) => void;
  isDark: boolean;
}

function Plot({ chart, series, markers, range, onRange, isDark }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef({ markers, onRange });
  latest.current = { markers, onRange };
  const data = useMemo(() => [series[0], ...chart.lines.map((line) => series[line.column])], [series, chart]);

  useEffect(() => {
    const element = box.current;
    if (!element) {
      return;
    }
    const grid = isDark ? "#39424e" : "#e2e6eb";
    const ink = isDark ? "#c3ccd7" : "#3d4753";
    const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
    const made = new uPlot(
      {
        width: element.clientWidth || 600,
        height: 240,
        cursor: { sync: { key: "cload", scales: ["x", null] }, drag: { x: true, y: false, setScale: false } },
        scales: { x: { time: true }, y: { range: (_, _min, max) => [0, max > 0 ? max * 1.08 : 1] } },
        axes: [axis, { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => short(tick)) }],
        series: [
          {},
          ...chart.lines.map((line) => ({
            label: line.label,
            stroke: line.color,
            width: 2,
            fill: chart.lines.length === 1 ? `${line.color}22` : undefined,
            points: { show: series[0].length < 3 },
            value: (_: uPlot, value: number | null) => (value === null ? "–" : short(value) + chart.unit),
          })),
        ],
        hooks: {
          setSelect: [
            (own) => {
              if (own.select.width > 5) {
                const from = own.posToVal(own.select.left, "x");
                latest.current.onRange([from, own.posToVal(own.select.left + own.select.width, "x")]);
              }
              own.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            },
          ],
          draw: [
            (own) => {
              const { ctx, bbox } = own;
              ctx.save();
              ctx.strokeStyle = ctx.fillStyle = ink;
              ctx.textAlign = "left";
              ctx.setLineDash([4, 4]);
              ctx.font = `${11 * devicePixelRatio}px sans-serif`;
              for (const marker of latest.current.markers) {
                const x = own.valToPos(marker.time, "x", true);
                if (x >= bbox.left && x <= bbox.left + bbox.width) {
                  ctx.beginPath();
                  ctx.moveTo(x, bbox.top);
                  ctx.lineTo(x, bbox.top + bbox.height);
                  ctx.stroke();
                  ctx.fillText(marker.text, x + 4 * devicePixelRatio, bbox.top + 12 * devicePixelRatio);
                }
              }
              ctx.restore();
            },
          ],
        },
      },
      data as uPlot.AlignedData,
      element,
    );
    made.over.addEventListener("dblclick", () => latest.current.onRange(null));
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: 240 }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
    // The data of later is set below, without a new plot.
  }, [chart, isDark]);

  useEffect(() => {
    const own = plot.current;
    if (own) {
      own.setData(data as uPlot.AlignedData, false);
      const times = data[0];
      const [from, to] = range ?? [times[0] ?? 0, times.at(-1) ?? 1];
      own.setScale("x", { min: from ?? 0, max: to === from ? (from ?? 0) + 1 : (to ?? 1) });
    }
  }, [data, range, markers, isDark, chart]);

  const last = chart.lines.map((line) => `${line.label} ${short(series[line.column].at(-1) ?? 0)}${chart.unit}`);
  return (
    <figure className="chart">
      <figcaption>{chart.title}</figcaption>
      <div ref={box} role="img" aria-label={`${chart.title} over time; at the end: ${last.join(", ")}`} />
    </figure>
  );
}

interface Props {
  series: Series;
  percentiles: number[];
  markers?: Marker[];
  isDark: boolean;
}

/** All charts over one time axis: hovering and zooming concern all of them. */
export function Charts({ series, percentiles, markers = [], isDark }: Props) {
  const [range, setRange] = useState<Range>(null);
  const all = useMemo(() => charts(percentiles), [percentiles]);
  if (series[0].length === 0) {
    return <p className="empty">There is nothing to draw yet.</p>;
  }
  return (
    <>
      <p className="hint">
        Drag over a chart to zoom in.{" "}
        {range && (
          <button type="button" className="plain" onClick={() => setRange(null)}>
            Show all
          </button>
        )}
      </p>
      <div className="charts">
        {all.map((chart) => (
          <Plot key={chart.title} {...{ chart, series, markers, range, isDark }} onRange={setRange} />
        ))}
      </div>
    </>
  );
}
