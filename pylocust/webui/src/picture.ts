// Charts as pictures of their own, to be put into a mail or a document.
import type uPlot from "uplot";
import type { Line } from "./plot";

/** Texts in as many rows as they need: where each begins, and how many rows there are. */
export function rowsOfTexts(widths: number[], room: number): { places: [number, number][]; rows: number } {
  const places: [number, number][] = [];
  let x = 0;
  let row = 0;
  for (const width of widths) {
    if (x > 0 && x + width > room) {
      x = 0;
      row += 1;
    }
    places.push([x, row]);
    x += width;
  }
  return { places, rows: row + 1 };
}

/** What the chart shows now, with its title and the names of its lines, on the colour of the page. */
function drawn(plot: uPlot, title: string, lines: Line[], isDark: boolean): HTMLCanvasElement {
  const chart = plot.ctx.canvas;
  const scale = devicePixelRatio;
  const [pad, line] = [12 * scale, 22 * scale];
  const shown = lines.filter((_, place) => plot.series[place + 1].show);
  const canvas = document.createElement("canvas");
  const ctx = canvas.getContext("2d") as CanvasRenderingContext2D;
  const font = `${13 * scale}px sans-serif`;
  ctx.font = font;
  const widths = shown.map(({ label }) => ctx.measureText(label).width + 40 * scale);
  const { places, rows } = rowsOfTexts(widths, chart.width - 2 * pad);
  const head = 2 * pad + line;
  canvas.width = chart.width;
  canvas.height = head + chart.height + rows * line + pad;
  ctx.fillStyle = isDark ? "#14191f" : "#ffffff";
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.drawImage(chart, 0, head);
  ctx.textBaseline = "middle";
  ctx.fillStyle = isDark ? "#e6ebf1" : "#1b232c";
  ctx.font = `bold ${15 * scale}px sans-serif`;
  ctx.fillText(title, pad, pad + line / 2);
  ctx.font = font;
  for (const [place, { label, color, dash }] of shown.entries()) {
    const [x, row] = places[place];
    const y = head + chart.height + (row + 0.5) * line;
    ctx.fillText(label, pad + x + 26 * scale, y);
    ctx.strokeStyle = color;
    ctx.lineWidth = 2 * scale;
    ctx.setLineDash((dash ?? []).map((length) => length * scale));
    ctx.beginPath();
    ctx.moveTo(pad + x, y);
    ctx.lineTo(pad + x + 20 * scale, y);
    ctx.stroke();
  }
  return canvas;
}

/** Gives the reader the chart as a file. */
export function savePicture(plot: uPlot, title: string, lines: Line[], isDark: boolean) {
  drawn(plot, title, lines, isDark).toBlob((blob) => {
    if (blob) {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${title.replace(/[^\w]+/g, "_").replace(/^_|_$/g, "")}.png`;
      link.click();
      URL.revokeObjectURL(link.href);
    }
  });
}
