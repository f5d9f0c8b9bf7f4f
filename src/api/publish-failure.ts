import { Type } from '@sinclair/typebox'
import type { PublishFailure } from '../streams/index.ts'

/** What became of a message that was not stored for sure: in the answer 207, and in problems. */
export const PublishFailureSchema = Type.Object(
  {
    index: Type.Integer({ minimum: 0, description: 'Which message of the request, from 0.' }),
    status: Type.Unsafe<PublishFailure['status']>({
      type: 'string',
      enum: ['failed', 'unknown'],
      description: '`failed`: not stored. `unknown`: may have been stored.'
    }),
    code: Type.String({ description: 'The reason, as in a problem.' })
  },
  { $id: 'PublishFailure' }
)
