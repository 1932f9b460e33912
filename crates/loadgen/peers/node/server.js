// Sends every message to everybody: no log-in, no storage. The options are the defaults, but for the transport, which is
// the one that is measured.
import { Server } from "socket.io";

const io = new Server({ transports: ["websocket"], serveClient: false });
io.on("connection", (socket) => {
  socket.on("send_message", (message) => io.emit("new_message", message));
});
io.listen(Number(process.argv[2]));
