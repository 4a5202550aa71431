import { type ReactNode, useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { clock, short } from "./format";
import { savePicture } from "./picture";
import type { Column, Mark, Range } from "./timeline";

export interface Line {
  label: string;
  color: string;
  unit: string;
  dash?: number[];
  /** On an axis of its own at the right. */
  isRight?: boolean;
}

interface PlotProps {
  title: string;
  lines: Line[];
  /** Times, then a column for each line. */
  data: Column[];
  range: Range;
  onRange: (range: Range | null) => void;
  onPan: (share: number) => void;
  onZoom: (factor: number, at: number) => void;
  marks: Mark[];
  bad: Range[];
  isDark: boolean;
  /** A logarithmic axis of response times within this range. */
  logRange?: Range;
  /** Draws behind the lines. */
  paint?: (plot: uPlot) => void;
  /** Where the pointer is: time and value of the left axis; null: elsewhere. */
  onPoint?: (point: Range | null) => void;
  /** What the plot says, for those who do not see it. */
  summary: string;
  children?: ReactNode;
}

const HEIGHT = 240;
// The clock of 24 hours, with the day where it changes.
const DAY = "\n{YYYY}-{MM}-{DD}";
const TIMES: uPlot.Axis.DynamicValues | (string | number | null)[][] = [
  [86400, "{YYYY}-{MM}-{DD}", null, null, null, null, null, null, 1],
  [3600, "{HH}:{mm}", DAY, null, DAY, null, null, null, 1],
  [60, "{HH}:{mm}", DAY, null, DAY, null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", DAY, null, DAY, null, null, null, 1],
  [0.001, "{HH}:{mm}:{ss}.{fff}", DAY, null, DAY, null, null, null, 1],
];

function drawBehind(plot: uPlot, { bad, isDark, paint }: PlotProps) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  paint?.(plot);
  // Stripes, so that nobody has to tell them by their colour.
  for (const [from, to] of bad) {
    const left = plot.valToPos(from, "x", true);
    const right = Math.max(left + 2, plot.valToPos(to, "x", true));
    if (right < bbox.left || left > bbox.left + bbox.width) {
      continue;
    }
    ctx.fillStyle = isDark ? "#ff9a9022" : "#b3261e18";
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    ctx.fillStyle = isDark ? "#ff9a90" : "#b3261e";
    ctx.fillRect(left, bbox.top, right - left, 3 * devicePixelRatio);
  }
  ctx.restore();
}

function drawMarks(plot: uPlot, { marks, isDark }: PlotProps) {
  const { ctx, bbox } = plot;
  const paper = isDark ? "#14191fcc" : "#ffffffcc";
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.lineWidth = devicePixelRatio;
  ctx.font = `${11 * devicePixelRatio}px sans-serif`;
  const pad = 4 * devicePixelRatio;
  const rows = [0, 0, 0];
  for (const mark of marks) {
    const x = plot.valToPos(mark.time, "x", true);
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) {
      continue;
    }
    const ink = mark.kind === "trouble" ? (isDark ? "#ff9a90" : "#b3261e") : isDark ? "#c3ccd7" : "#3d4753";
    ctx.strokeStyle = ink;
    ctx.setLineDash(mark.kind === "start" || mark.kind === "stop" ? [] : [4, 4]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    // Texts that have no room in one of the rows are left out.
    const row = rows.findIndex((end) => end < x);
    if (row >= 0) {
      const text = mark.text.length > 24 ? `${mark.text.slice(0, 23)}…` : mark.text;
      const width = ctx.measureText(text).width + 2 * pad;
      const y = bbox.top + (10 + 15 * row) * devicePixelRatio;
      ctx.fillStyle = paper;
      ctx.fillRect(x + 1, y - 7 * devicePixelRatio, width, 14 * devicePixelRatio);
      ctx.fillStyle = ink;
      ctx.fillText(text, x + pad, y);
      rows[row] = x + width;
    }
  }
  ctx.restore();
}

/** Dragging zooms (uPlot's own), dragging with Shift or a finger pans, two fingers zoom, the wheel does both. */
function listen(plot: uPlot, latest: { current: PlotProps }) {
  const over = plot.over;
  let last: number | null = null;
  // Fingers on the chart, and where they are.
  const fingers = new Map<number, number>();
  const apart = () => {
    const [one, other] = fingers.values();
    return Math.abs(one - other);
  };
  const share = (x: number) => (x - over.getBoundingClientRect().left) / over.clientWidth;
  // What is under a finger is told, as it is under a mouse.
  const point = (event: PointerEvent) => {
    const box = over.getBoundingClientRect();
    // The last argument, which has the other charts follow, is missing in uPlot's types.
    const setCursor = plot.setCursor as (at: { left: number; top: number }, fire?: boolean, publish?: boolean) => void;
    setCursor({ left: event.clientX - box.left, top: event.clientY - box.top }, true, true);
  };
  over.style.touchAction = "pan-y";
  const onDown = (event: MouseEvent | PointerEvent) => {
    const isFinger = "pointerType" in event && event.pointerType !== "mouse";
    if (event.shiftKey || isFinger) {
      last = event.clientX;
      event.stopImmediatePropagation();
      event.preventDefault();
    }
    if (isFinger) {
      fingers.set(event.pointerId, event.clientX);
      point(event);
    }
  };
  const onMove = (event: PointerEvent) => {
    if (fingers.size === 2 && fingers.has(event.pointerId)) {
      const before = apart();
      fingers.set(event.pointerId, event.clientX);
      const [one, other] = fingers.values();
      latest.current.onZoom(Math.max(before, 10) / Math.max(apart(), 10), share((one + other) / 2));
      last = event.clientX;
    } else if (last !== null && event.clientX !== last) {
      latest.current.onPan((last - event.clientX) / over.clientWidth);
      last = event.clientX;
      if (fingers.has(event.pointerId)) {
        fingers.set(event.pointerId, last);
        point(event);
      }
    }
  };
  const onUp = (event: PointerEvent) => {
    fingers.delete(event.pointerId);
    // The finger that stays goes on from where it is.
    last = fingers.size > 0 ? [...fingers.values()][0] : null;
  };
  const onWheel = (event: WheelEvent) => {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      latest.current.onZoom(event.deltaY > 0 ? 1.25 : 0.8, event.offsetX / over.clientWidth);
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      latest.current.onPan((event.deltaX || event.deltaY) / over.clientWidth);
    }
  };
  over.addEventListener("mousedown", onDown, { capture: true });
  over.addEventListener("pointerdown", onDown, { capture: true });
  over.addEventListener("wheel", onWheel, { passive: false });
  over.addEventListener("dblclick", () => latest.current.onRange(null));
  document.addEventListener("pointermove", onMove);
  document.addEventListener("pointerup", onUp);
  document.addEventListener("pointercancel", onUp);
  return () => {
    document.removeEventListener("pointermove", onMove);
    document.removeEventListener("pointerup", onUp);
    document.removeEventListener("pointercancel", onUp);
  };
}

function options(latest: { current: PlotProps }, width: number): uPlot.Options {
  const { lines, isDark, logRange } = latest.current;
  const grid = isDark ? "#39424e" : "#e2e6eb";
  const ink = isDark ? "#c3ccd7" : "#3d4753";
  const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
  const numbers = (_: uPlot, ticks: (number | null)[]) => ticks.map((tick) => (tick === null ? "" : short(tick)));
  const fromZero: uPlot.Scale.Range = (_, _min, max) => [0, max > 0 ? max * 1.08 : 1];
  const hasRight = lines.some((line) => line.isRight);
  return {
    width,
    height: HEIGHT,
    cursor: { sync: { key: "cload", scales: ["x", null] }, drag: { x: true, y: false, setScale: false } },
    scales: {
      x: { time: true },
      y: logRange ? { distr: 3, range: () => latest.current.logRange ?? [1, 1000] } : { range: fromZero },
      right: { range: fromZero },
    },
    axes: [
      { ...axis, values: TIMES, space: 90 },
      { ...axis, size: 64, values: numbers },
      ...(hasRight ? [{ ...axis, scale: "right", side: 1 as const, size: 56, grid: { show: false }, values: numbers }] : []),
    ],
    series: [
      { label: "Time", value: (_: uPlot, seconds: number | null) => (seconds === null ? "–" : clock(seconds)) },
      ...lines.map((line) => ({
        label: line.label,
        stroke: line.color,
        width: 2,
        dash: line.dash,
        scale: line.isRight ? "right" : "y",
        fill: lines.length === 1 ? `${line.color}22` : undefined,
        value: (_: uPlot, value: number | null) => (value === null ? "–" : short(value) + line.unit),
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
      setCursor: [
        (own) => {
          const { left, top } = own.cursor;
          const isIn = left !== undefined && top !== undefined && left >= 0 && top >= 0;
          latest.current.onPoint?.(isIn ? [own.posToVal(left, "x"), own.posToVal(top, "y")] : null);
        },
      ],
      drawClear: [(own) => drawBehind(own, latest.current)],
      draw: [(own) => drawMarks(own, latest.current)],
    },
  };
}

/** What is drawn is a picture; the names below it show and hide its lines, by the keyboard too. */
function makeAccessible(plot: uPlot) {
  plot.root.querySelector(".u-wrap")?.setAttribute("role", "img");
  const names = [...plot.root.querySelectorAll<HTMLElement>(".u-legend .u-series:not(:first-child) .u-label")];
  const tell = () => {
    for (const [place, name] of names.entries()) {
      name.setAttribute("aria-checked", String(plot.series[place + 1].show));
    }
  };
  tell();
  for (const name of names) {
    name.tabIndex = 0;
    name.setAttribute("role", "switch");
    // The click itself is the plot's own, in an element around this one.
    name.parentElement?.addEventListener("click", tell);
    name.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        name.click();
      }
    });
  }
}

/** One chart. All charts of a page share the pointer. */
export function Plot(props: PlotProps) {
  const { title, lines, data, range, marks, bad, isDark, logRange, summary, children } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  // A plot is made anew only when what it is made of changes; numbers are given to the one that is there.
  const form = JSON.stringify([lines, isDark, logRange !== undefined]);

  // Charts out of sight are drawn when they come into it.
  const isSeen = useRef(true);
  const isStale = useRef(false);

  function update() {
    const own = plot.current;
    if (own && isStale.current) {
      const { data, range } = latest.current;
      isStale.current = false;
      own.batch(() => {
        own.setData(data as uPlot.AlignedData, false);
        own.setScale("x", { min: range[0], max: range[1] });
      });
    }
  }

  useEffect(() => {
    const element = box.current;
    if (!element) {
      return;
    }
    const made = new uPlot(options(latest, element.clientWidth || 600), latest.current.data as uPlot.AlignedData, element);
    const forget = listen(made, latest);
    makeAccessible(made);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    const sight = new IntersectionObserver(([{ isIntersecting }]) => {
      isSeen.current = isIntersecting;
      if (isIntersecting) {
        update();
      }
    });
    sight.observe(element);
    return () => {
      observer.disconnect();
      sight.disconnect();
      forget();
      made.destroy();
      plot.current = null;
    };
  }, [form]);

  useEffect(() => {
    isStale.current = true;
    if (isSeen.current) {
      update();
    }
  }, [data, range[0], range[1], marks, bad, form, logRange?.[0], logRange?.[1]]);

  useEffect(() => {
    plot.current?.root.querySelector(".u-wrap")?.setAttribute("aria-label", `${title} over time; ${summary}`);
  }, [form, title, summary]);

  return (
    <figure className="chart">
      <figcaption>
        {title}
        <button type="button" className="plain save" aria-label={`Save as image: ${title}`} onClick={() => plot.current && savePicture(plot.current, title, lines, isDark)}>
          Save as image
        </button>
      </figcaption>
      <div ref={box} />
      {children}
    </figure>
  );
}
