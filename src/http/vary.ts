import type { FastifyReply } from 'fastify'

/** Adds a request header to `Vary`: the answer depends on it. What others have added stays. */
export function vary (reply: FastifyReply, header: string): void {
  const before = reply.getHeader('vary')
  const names = before === undefined ? [] : String(before).split(',').map((name) => name.trim())
  if (names.some((name) => name.toLowerCase() === header.toLowerCase())) return
  reply.header('vary', [...names, header].join(', '))
}
