import { classify } from '../classify.ts'
import type { Logger } from '../common/logger.ts'
import type { StreamsErrorCode } from '../errors.ts'
import type { ManagementClient } from '../management/management-client.ts'
import { listBindingKeys } from '../management/super-stream-listing.ts'
import type { StreamAdmin, StreamDescription } from './stream-admin.ts'

/** A partition with what a stream is described by, or with why that is not known. */
export type PartitionDescription = { readonly stream: string, readonly bindingKey: string } & (
  | StreamDescription
  | {
    readonly firstOffset: null
    readonly nextOffset: null
    readonly leader: null
    readonly replicas: readonly string[]
    readonly fault: { readonly code: StreamsErrorCode, readonly detail: string }
  }
)

export interface SuperStreamViewOptions {
  admin: StreamAdmin
  management: ManagementClient | undefined
  logger: Logger
}

// Each takes some requests to the broker and one to the management API.
const AT_A_TIME = 16

/** Describes the partitions of super streams. */
export class SuperStreamView {
  readonly #options: SuperStreamViewOptions

  constructor (options: SuperStreamViewOptions) {
    this.#options = options
  }

  /**
   * A partition that cannot be asked now does not keep the others from being described.
   *
   * @param superStream the broker's name
   * @param partitions the broker's names
   * @param keyOf the binding key that follows from the name of a partition, where the management API does not tell it
   */
  async describe (
    superStream: string, partitions: readonly string[], keyOf: (partition: string) => string
  ): Promise<PartitionDescription[]> {
    const keys = await this.#bindingKeys(superStream)
    const descriptions: PartitionDescription[] = []
    for (let at = 0; at < partitions.length; at += AT_A_TIME) {
      descriptions.push(...await Promise.all(partitions.slice(at, at + AT_A_TIME).map(async (stream) => {
        return await this.#describe(stream, keys?.get(stream) ?? keyOf(stream))
      })))
    }
    return descriptions
  }

  async #describe (stream: string, bindingKey: string): Promise<PartitionDescription> {
    try {
      return { stream, bindingKey, ...await this.#options.admin.describe(stream) }
    } catch (error) {
      const { code, message: detail } = classify(error)
      const fault = { code, detail }
      return { stream, bindingKey, firstOffset: null, nextOffset: null, leader: null, replicas: [], fault }
    }
  }

  async #bindingKeys (superStream: string): Promise<ReadonlyMap<string, string> | undefined> {
    const { management, logger } = this.#options
    if (management === undefined) return undefined
    try {
      return await listBindingKeys(management, superStream)
    } catch (error) {
      logger.warn({ err: error }, 'the management API could not be asked about a super stream')
      return undefined
    }
  }
}
