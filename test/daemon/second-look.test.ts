/** When everything is looked at once more. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { auditDelayMs, namesRestShare, scanRestShare } from '../../agent/base/limits.ts';
import { createSecondLook } from '../../agent/daemon/second-look.ts';

test('nothing is due while nothing is wanted', () => {
  const second = createSecondLook();
  assert.is(second.dueMs(), Number.POSITIVE_INFINITY);
  second.began(0);
  second.ended(5);
  assert.is(second.dueMs(), Number.POSITIVE_INFINITY);
});

test('what goes on and on does not put a look off', () => {
  const second = createSecondLook();
  for (let nowMs = 0; nowMs < 10 * auditDelayMs; nowMs += 10) second.want('directories', nowMs);
  assert.is(second.dueMs(), auditDelayMs);
});

test('what comes while a look is under way is looked at again after a rest', () => {
  const second = createSecondLook();
  second.want('directories', 0);
  second.began(auditDelayMs);
  second.want('directories', auditDelayMs + 3);
  assert.is(second.dueMs(), Number.POSITIVE_INFINITY, 'not while one is under way');
  second.ended(auditDelayMs + 100);
  assert.is(second.dueMs(), auditDelayMs + 100 + 100 * scanRestShare);
});

test('what came before a look began is not looked at again', () => {
  const second = createSecondLook();
  second.want('directories', 0);
  second.want('names', auditDelayMs - 1);
  second.began(auditDelayMs);
  second.ended(auditDelayMs + 100);
  assert.is(second.dueMs(), Number.POSITIVE_INFINITY);
});

test('for names alone the rest is longer, and directories shorten it', () => {
  const second = createSecondLook();
  second.began(0);
  second.ended(50);
  second.want('names', 60);
  assert.is(second.dueMs(), 50 + 50 * namesRestShare);
  second.want('directories', 70);
  assert.is(second.dueMs(), 70 + auditDelayMs);
});

test.run();
