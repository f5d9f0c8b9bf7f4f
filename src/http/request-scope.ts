import type { FastifyReply } from 'fastify'
import { setMaxListeners } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { callerOf } from './caller.ts'

declare module 'fastify' {
  interface FastifyReply {
    /**
     * The scope of the request, made when it is first needed. A property and not an entry of a weak map, which the
     * garbage collector would have to visit. Not declared by `decorateReply`: Fastify would then set it in every reply.
     */
    scope?: RequestScope | undefined
  }
}

type CloseListener = (isDelivered: boolean) => void

/** A request and its answer, until the answer is flushed or the client is gone. */
interface RequestScope {
  readonly reply: FastifyReply
  readonly response: ServerResponse
  readonly socket: Socket
  readonly listeners: CloseListener[]
  /** The whole answer was handed over, although its end is held back. */
  isWhole: boolean
  /** Something was done for the request before all of it had arrived. */
  hasEffects: boolean
  isOver: boolean
  isDelivered: boolean
}

/** The client of a connection: the scopes of its requests that are under way, and a signal once one is asked for. */
interface Client {
  readonly open: Set<RequestScope>
  gone: AbortController | undefined
  /** What follows the end of each caller's credential: a proxy sends the requests of many on one connection. */
  readonly callers: Map<AbortSignal, CallerOnClient>
}

interface CallerOnClient { readonly controller: AbortController, readonly unfollow: () => void }

const clients = new WeakMap<Socket, Client>()

/**
 * Calls the listener once when a request is over: the answer is flushed, or the client is gone.
 *
 * A response emits `close` in both cases, except a response that waits behind another one on the same connection
 * (pipelining): it never gets a socket, so it does not notice when the socket closes. Therefore the socket is watched
 * too, with one listener for all its scopes. The several listeners of a request share one listener of the response.
 *
 * @param listener is told whether the whole answer was handed to the operating system
 */
export function whenClosed (reply: FastifyReply, listener: CloseListener): void {
  const scope = reply.scope ??= openScope(reply)
  if (scope.isOver) queueMicrotask(() => { listener(scope.isDelivered) })
  else scope.listeners.push(listener)
}

/** The client has the whole answer, whatever becomes of the connection before it ends. */
export function answeredWhole (reply: FastifyReply): void {
  if (reply.scope !== undefined) reply.scope.isWhole = true
}

/** From now on something may have been done for a request that is still arriving. */
export function noteEffects (reply: FastifyReply): void {
  if (reply.scope !== undefined) reply.scope.hasEffects = true
}

/**
 * The request that the last bytes of a socket belong to: its reply, and whether something may have been done for it
 * already.
 */
export function arrivingRequest (socket: Socket): Pick<RequestScope, 'reply' | 'hasEffects'> | undefined {
  return [...clients.get(socket)?.open ?? []].at(-1)
}

/** The replies to requests of a connection that have arrived whole and are not answered whole yet, in their order. */
export function owedReplies (socket: Socket): FastifyReply[] {
  return [...clients.get(socket)?.open ?? []].flatMap(({ reply, response }) => response.req.complete ? [reply] : [])
}

/** Whether a request that can no longer arrive whole is being answered: a client would take other bytes for a part. */
export function isAnswerBroken (socket: Socket): boolean {
  for (const { response } of clients.get(socket)?.open ?? []) {
    if (response.headersSent && !response.req.complete) return true
  }
  return false
}

/**
 * Aborts when the client goes away, or when the credential of the caller ends: then the reason is an `AccessError`. All
 * requests of one caller on a connection share the signal, since a signal costs as much as a tenth of a small publish.
 * A listener has to be removed when its request is over.
 */
export function clientSignal ({ request }: FastifyReply): AbortSignal {
  const { socket } = request.raw
  const client = clientOf(socket)
  const { ended } = callerOf(request)
  if (ended !== undefined) return callerSignal(client, socket, ended)
  client.gone ??= newSignal(socket)
  return client.gone.signal
}

function callerSignal ({ callers }: Client, socket: Socket, ended: AbortSignal): AbortSignal {
  const known = callers.get(ended)
  if (known !== undefined) return known.controller.signal
  const controller = newSignal(socket)
  const abort = (): void => {
    callers.delete(ended)
    controller.abort(ended.reason)
  }
  if (ended.aborted || socket.destroyed) {
    controller.abort(ended.reason)
    return controller.signal
  }
  setMaxListeners(0, ended) // as many as the caller has connections
  ended.addEventListener('abort', abort, { once: true })
  // Ended with the connection, by the one listener that it has for all.
  callers.set(ended, { controller, unfollow: () => { ended.removeEventListener('abort', abort) } })
  return controller.signal
}

function newSignal (socket: Socket): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal) // as many as there are requests on the connection
  if (socket.destroyed) controller.abort()
  return controller
}

function openScope (reply: FastifyReply): RequestScope {
  const { raw: response, request: { raw: { socket } } } = reply
  const { open } = clientOf(socket)
  const scope: RequestScope = {
    reply,
    response,
    socket,
    listeners: [],
    isWhole: false,
    hasEffects: false,
    isOver: false,
    isDelivered: false
  }
  open.add(scope)
  const end = (): void => {
    open.delete(scope)
    finish(scope)
  }
  if (response.closed || socket.destroyed) queueMicrotask(end)
  else response.once('close', end)
  return scope
}

function clientOf (socket: Socket): Client {
  return clients.get(socket) ?? watchSocket(socket)
}

function watchSocket (socket: Socket): Client {
  const client: Client = { open: new Set(), gone: undefined, callers: new Map() }
  clients.set(socket, client)
  socket.once('close', () => {
    client.gone?.abort()
    for (const { controller, unfollow } of client.callers.values()) {
      unfollow()
      controller.abort()
    }
    client.callers.clear()
    for (const scope of [...client.open]) finish(scope)
    client.open.clear()
  })
  return client
}

function finish (scope: RequestScope): void {
  if (scope.isOver) return
  scope.isOver = true
  // A response whose socket was destroyed during a write also counts as finished.
  scope.isDelivered = scope.isWhole || (scope.response.writableFinished && !scope.socket.destroyed)
  for (const listener of scope.listeners) listener(scope.isDelivered)
}
