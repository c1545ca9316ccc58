// On Node: `node node.mjs ws`, the default, or `node node.mjs eiows`, the engine that socket.io's page on performance names.

import { createServer } from "node:http";
import { Server } from "socket.io";
import { serve } from "./contract.mjs";

const [engine] = process.argv.slice(2);
const options = engine === "eiows" ? { wsEngine: (await import("eiows")).default.Server } : {};

const http = createServer();
serve(new Server(http, options));
http.listen(Number(process.env.PORT), "127.0.0.1");
