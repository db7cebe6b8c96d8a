import { env } from "node:process";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` serves the console with hot reload in front of a running control plane.
const backend = env.LAMPLIGHT_SERVER ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  build: { target: "baseline-widely-available", assetsInlineLimit: 0 },
  worker: { format: "es" },
  server: { proxy: { "/api": { target: backend, changeOrigin: true } } },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/test/setup.ts"],
    restoreMocks: true,
    testTimeout: 120_000,
  },
});
