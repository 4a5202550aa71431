import { createTheme, MantineProvider } from "@mantine/core";
import "@mantine/core/styles.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { Login } from "./login";
import "./styles.css";
import type { PageArgs } from "./types";

const theme = createTheme({ primaryColor: "blue", primaryShade: 8, autoContrast: true });

document.addEventListener("DOMContentLoaded", () => {
  const page = window.authArgs ? <Login args={window.authArgs} /> : <App args={window.templateArgs as PageArgs} />;
  createRoot(document.getElementById("root") as HTMLElement).render(
    <StrictMode>
      <MantineProvider theme={theme} defaultColorScheme="auto">
        {page}
      </MantineProvider>
    </StrictMode>,
  );
});
