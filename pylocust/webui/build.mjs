// Builds dist/: the application (index.html, auth.html and their assets) and report.html, which holds everything it needs.
// The HTML files are Jinja templates, so code inside them is wrapped in raw blocks.
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, "dist");
const staging = join(root, "node_modules", ".report");

// The report is one file for each run: what it is drawn with is small.
const SMALL = {
  "react/jsx-runtime": "preact/jsx-runtime",
  "react-dom/client": "preact/compat/client",
  "react-dom": "preact/compat",
  react: "preact/compat",
};

async function bundle(entry, outDir, names, alias = {}) {
  await build({
    root,
    configFile: false,
    logLevel: "warn",
    base: "./",
    resolve: { alias },
    define: { "process.env.NODE_ENV": '"production"' },
    build: {
      outDir,
      emptyOutDir: true,
      cssCodeSplit: false,
      chunkSizeWarningLimit: 700,
      rollupOptions: {
        onwarn(warning, warn) {
          // Directives for servers that render components.
          if (warning.code !== "MODULE_LEVEL_DIRECTIVE") {
            warn(warning);
          }
        },
        input: join(root, "src", entry),
        output: { format: "iife", entryFileNames: `${names}.js`, assetFileNames: `${names}[extname]` },
      },
    },
  });
}

const head = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M1 13 5 6l3 4 3-8 4 11z' fill='%230b6bcb'/%3E%3C/svg%3E">
`;

function page(title, global, variable, script, style) {
  return `${head}    <meta name="generator" content="cload{% if own_version %} {{ own_version }}{% endif %}">
    <title>${title}</title>
    <link rel="stylesheet" href="./assets/${style}">
    <script>window.${global} = {{ ${variable}|tojson }}</script>
    <script defer src="./assets/${script}"></script>
  </head>
  <body>
    <div id="root"></div>
    <noscript>This page needs JavaScript.</noscript>
  </body>
</html>
`;
}

await rm(dist, { recursive: true, force: true });
await bundle("main.tsx", join(dist, "assets"), "app-[hash]");
await bundle("report.tsx", staging, "report", SMALL);
const assets = await readdir(join(dist, "assets"));
const script = assets.find((name) => name.endsWith(".js"));
const style = assets.find((name) => name.endsWith(".css"));
const code = (await readFile(join(staging, "report.js"), "utf8")).replaceAll("</script", "<\\/script");
const css = await readFile(join(staging, "report.css"), "utf8");
if (code.includes("{% endraw")) {
  throw new Error("the code of the report would end its raw block");
}
await mkdir(dist, { recursive: true });
await writeFile(join(dist, "index.html"), page("cload", "templateArgs", "template_args", script, style));
await writeFile(
  join(dist, "auth.html"),
  page('{{ auth_title|default("cload")|e }}', "authArgs", "auth_args", script, style),
);
await writeFile(
  join(dist, "report.html"),
  `${head}    <title>cload{% if template_args.profile %} - {{ template_args.profile|e }}{% endif %}</title>
    <style>{% raw %}${css}{% endraw %}</style>
  </head>
  <body>
    <div id="root"></div>
    <noscript>This report needs JavaScript.</noscript>
    <script>
      window.theme = {{ theme|tojson }} || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")
{%- if packed %}
      window.reportData = {{ packed|tojson }}
{%- else %}
      window.templateArgs = {{ template_args|tojson }}
      window.reportExtras = {{ report_extras|tojson }}
{%- endif %}
    </script>
    <script>{% raw %}${code}{% endraw %}</script>
  </body>
</html>
`,
);
