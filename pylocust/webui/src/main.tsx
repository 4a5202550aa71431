import { createTheme, MantineProvider } from "@mantine/core";
import "@mantine/core/styles.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { Login } from "./login";
import "./styles.css";
import type { PageArgs } from "./types";

const theme = createTheme({
  primaryColor: "blue",
  primaryShade: 8,
  autoContrast: true,
  respectReducedMotion: true,
  colors: {
    // The greys of dark pages, from ink to the darkest, in the tone of styles.css.
    dark: ["#e6ebf1", "#a5b1bf", "#8391a1", "#5b6877", "#46525f", "#2b343e", "#1d242c", "#14191f", "#10151a", "#0b0f13"],
  },
});

/** Scripts may write what they add as Locust's page does inside: extendedTabs for extended_tabs. */
function withOwnNames(args: PageArgs): PageArgs {
  const pairs = Object.entries(args).map(([name, value]) => [name.replace(/[A-Z]/g, (sign) => `_${sign.toLowerCase()}`), value]);
  return { ...Object.fromEntries(pairs), ...args };
}

document.addEventListener("DOMContentLoaded", () => {
  const page = window.authArgs ? <Login args={window.authArgs} /> : <App args={withOwnNames(window.templateArgs as PageArgs)} />;
  createRoot(document.getElementById("root") as HTMLElement).render(
    <StrictMode>
      <MantineProvider theme={theme} defaultColorScheme="auto">
        {page}
      </MantineProvider>
    </StrictMode>,
  );
});
