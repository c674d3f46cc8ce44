import { defineConfig } from "vitest/config";

// The store and the texts need no page.
export default defineConfig({ test: { environment: "node", include: ["test/*.test.ts"], testTimeout: 60_000 } });
