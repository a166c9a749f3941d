// A small Socket.IO chat: a message is stored, its sender told, the room told. No sign-in, membership,
// edits or unread numbers. DATABASE_HOST (a directory of a unix socket) and DATABASE. Prints its port.
import { createServer } from "node:http";
import pg from "pg";
import { Server } from "socket.io";

const pool = new pg.Pool({
  host: process.env.DATABASE_HOST,
  database: process.env.DATABASE,
  user: "postgres",
  max: 24, // as many as Chatty may use
});
await pool.query(
  "CREATE TABLE IF NOT EXISTS message (id bigserial PRIMARY KEY, room text NOT NULL, author text NOT NULL," +
    " body text NOT NULL, created_at timestamptz NOT NULL DEFAULT now())",
);

const http = createServer();
// Pings out of the way: the load client does not answer them.
const io = new Server(http, { transports: ["websocket"], pingInterval: 3_600_000, pingTimeout: 3_600_000 });

io.on("connection", (socket) => {
  const { room, author } = socket.handshake.query;
  socket.join(room);
  socket.emit("hello");
  socket.on("send", async ({ key, body }) => {
    const stored = await pool.query({
      name: "store", // prepared once for each connection
      text: "INSERT INTO message (room, author, body) VALUES ($1, $2, $3) RETURNING id, created_at",
      values: [room, author, body],
    });
    const { id, created_at } = stored.rows[0];
    socket.emit("message", { type: "sent", key, id });
    io.to(room).emit("message", { id, author, body, created_at });
  });
});

http.listen(0, "127.0.0.1", 2048, () => console.log(http.address().port));
