import type { FastifyRequest } from 'fastify'
import type { Problem } from '../api/problems.ts'

/**
 * The problem without the names of streams that its caller may do nothing with: those of a super stream may be among
 * them. Where RabbitMQ decides, they are left out before.
 */
export function withVisibleNames (problem: Problem, { identified, server }: FastifyRequest): Problem {
  const { partitions, superStream } = problem
  if (identified === undefined || identified.rights.areBrokers) return problem
  if (partitions === undefined && superStream === undefined) return problem
  const { rights } = identified
  const isVisible = (name: unknown): boolean => {
    const stream = server.broker.streams.nameOnBroker(String(name))
    return rights.allows('configure', stream) || rights.allows('write', stream) || rights.allows('read', stream)
  }
  const { partitions: _partitions, superStream: _superStream, ...rest } = problem
  return {
    ...rest,
    ...(Array.isArray(partitions) && { partitions: partitions.filter(isVisible) }),
    // True: it is the name that the caller has asked for.
    ...(superStream !== undefined && (superStream === true || isVisible(superStream)) && { superStream })
  }
}
