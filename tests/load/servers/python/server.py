"""The contract `load` by python-socketio on uvicorn: everything at its default."""

import os

import socketio
import uvicorn

sio = socketio.AsyncServer(async_mode="asgi")


@sio.event
async def echo(sid, *args):
    await sio.emit("echo", args, to=sid)


@sio.event
async def bin(sid, data):
    await sio.emit("bin", data, to=sid)


@sio.event
async def ack(sid, *args):
    return args


@sio.event
async def join(sid, room):
    await sio.enter_room(sid, room)
    return "ok"


@sio.event
async def publish(sid, room, payload):
    await sio.emit("msg", payload, to=room)


uvicorn.run(socketio.ASGIApp(sio), host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
