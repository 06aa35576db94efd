import { testIdentityResolver } from '@chargeback/testkit';
import { describe, it } from 'vitest';
import { fromDirectory } from './from-directory.ts';

testIdentityResolver({ describe, it }, fromDirectory, {
  name: 'fromDirectory',
  params: { file: 'people.csv', query: 'requests' },
  files: { 'people.csv': 'principal,person\nidentity-0,ada\nidentity-2,grace\nidentity-3,grace\n' },
  queryKeys: ['requests'],
});
