// The contract `load` by socket.io: everything at its default.

export function serve(io) {
  io.on("connection", (socket) => {
    socket.on("echo", (...args) => socket.emit("echo", ...args));
    socket.on("bin", (bytes) => socket.emit("bin", bytes));
    socket.on("ack", (...args) => args.pop()(...args));
    socket.on("join", (room, acknowledge) => {
      socket.join(room);
      acknowledge("ok");
    });
    socket.on("publish", (room, payload) => io.to(room).emit("msg", payload));
  });
}
