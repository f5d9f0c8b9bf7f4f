import { readNothing, type Request } from './command.ts'

export interface SuperStreamToCreate {
  readonly superStream: string
  /** The names of its streams, in their order. */
  readonly partitions: readonly string[]
  /** As many as there are partitions. */
  readonly bindingKeys: readonly string[]
  /** Of each partition. */
  readonly args: ReadonlyMap<string, string>
}

/**
 * SuperStream string, Partitions [Stream string], BindingKeys [BindingKey string],
 * Arguments [Key string, Value string]
 */
export const createSuperStream: Request<SuperStreamToCreate, void> = {
  name: 'createSuperStream',
  write (writer, { superStream, partitions, bindingKeys, args }) {
    writer.string(superStream)
      .array(partitions, (to, partition) => to.string(partition))
      .array(bindingKeys, (to, key) => to.string(key))
      .map(args)
  },
  read: readNothing
}
