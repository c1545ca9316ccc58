// On bun, with the engine that socket.io offers for it: `bun bun.mjs`.

import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";
import { serve } from "./contract.mjs";

const io = new Server();
const engine = new Engine({ path: "/socket.io/" });
io.bind(engine);
serve(io);

Bun.serve({ port: Number(process.env.PORT), hostname: "127.0.0.1", ...engine.handler() });
