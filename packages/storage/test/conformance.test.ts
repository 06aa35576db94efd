import { describe, it } from 'vitest';
import { testStorage } from '../../testkit/src/index.ts';
import { makeStore } from './temporary-store.ts';

testStorage({ describe, it }, makeStore);
