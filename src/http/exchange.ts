import type { FastifyReply } from 'fastify'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

interface Watch { response: ServerResponse, end: () => void }

const openBySocket = new WeakMap<Socket, Set<Watch>>()

/**
 * Calls the listener once when an exchange is over: the answer is flushed, or the client is gone.
 *
 * A response emits `close` in both cases, except one that waits behind another on the same connection (pipelining):
 * it never gets a socket, so it hears nothing when that closes. Therefore the socket is watched too, with one listener
 * however many exchanges it carries.
 *
 * @param listener gets whether the whole answer was handed to the operating system
 */
export function whenClosed (reply: FastifyReply, listener: (isDelivered: boolean) => void): void {
  const response = reply.raw
  const socket = reply.request.raw.socket
  const open = openBySocket.get(socket) ?? watchSocket(socket)
  const watch = { response, end }
  open.add(watch)
  if (response.closed || socket.destroyed) queueMicrotask(end)
  else response.once('close', end)

  function end (): void {
    if (!open.delete(watch)) return
    response.off('close', end)
    listener(response.writableFinished)
  }
}

function watchSocket (socket: Socket): Set<Watch> {
  const open = new Set<Watch>()
  openBySocket.set(socket, open)
  socket.once('close', () => {
    for (const { end } of [...open]) end()
  })
  return open
}

/**
 * Whether bytes written to the socket now would be taken for the answer to an earlier request: one that is complete
 * and not answered yet, or whose answer is under way.
 */
export function owesAnswer (socket: Socket): boolean {
  for (const { response } of openBySocket.get(socket) ?? []) {
    if (response.headersSent || response.req.complete) return true
  }
  return false
}

/** Aborts when the client goes away before it has its answer. */
export function clientSignal (reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  whenClosed(reply, (isDelivered) => {
    if (!isDelivered) controller.abort()
  })
  return controller.signal
}
