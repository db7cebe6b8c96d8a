import "./styles/tokens.css";
import "./styles/base.css";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ahead } from "./app/ahead";
import { makeQueryClient } from "./app/queryClient";
import { makeRouter } from "./app/router";

const client = makeQueryClient();
const router = makeRouter(client);
ahead(client, location.pathname);
const place = document.getElementById("root");
if (place === null) throw new Error("index.html has no #root to draw into");

createRoot(place).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
