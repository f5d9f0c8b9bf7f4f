import { Type, type TSchema } from '@sinclair/typebox'

/** Refers to a schema by its `$id`, under which it has to be added to the app; one without is used as it is. */
export function byName (schema: TSchema): TSchema {
  return schema.$id === undefined ? schema : Type.Ref(schema.$id)
}
