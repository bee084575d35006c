/**
 * What the server does in one step. Every script begins with the store's mark, a hash, and writes nothing when the
 * epoch in it is not the caller's: so a command that a former owner sent, or an earlier connection of this one, does
 * not land, however late it comes.
 *
 * The mark of the store (in a Cluster: of its first partition):
 *
 * | field | |
 * |---|---|
 * | `schema`, `partitions` | the form of the store |
 * | `storeId` | made when the store is |
 * | `epoch` | raised by each opening, reconnection and close |
 * | `high` | the highest version ever acknowledged |
 * | `owner`, `label`, `until` | who owns it, in words, and to which millisecond of the server's clock |
 * | `complete` | all other partitions have their marks |
 *
 * The mark of another partition has `storeId`, `epoch` and `high` alone. Scripts take what they touch as `KEYS`, of one slot,
 * and run on servers from 6.0 on.
 *
 * A server without memory refuses a script's first write alone, and no removal. So each removes something first, were it
 * a field that is not there: an owner keeps its lease then, and deletes and clears go on, which is what frees memory.
 */

/**
 * Makes the caller the owner. ARGV: owner, lease in ms, a store id for a new store, label, the owner that may be
 * replaced though its lease lasts (`*`: any), schema, partitions, the epoch that the caller has read.
 * Answers `OK`, epoch, store id, high, complete, the owner before · `FREE`, the epoch to claim it for · `LOCKED`, owner,
 * label, ms left · `SCHEMA` or `PARTITIONS`, what is there.
 */
export const CLAIM = `
local m = redis.call('HMGET', KEYS[1],
  'owner', 'until', 'storeId', 'high', 'label', 'schema', 'partitions', 'complete', 'epoch')
if m[6] and m[6] ~= ARGV[6] then return {'SCHEMA', m[6]} end
if m[7] and m[7] ~= ARGV[7] then return {'PARTITIONS', m[7]} end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if m[1] and m[1] ~= ARGV[1] and m[1] ~= ARGV[5] and ARGV[5] ~= '*' and tonumber(m[2]) > now then
  return {'LOCKED', m[1], m[5] or '', string.format('%.0f', tonumber(m[2]) - now)}
end
if ARGV[8] ~= (m[9] or '0') then return {'FREE', m[9] or '0'} end
redis.call('HDEL', KEYS[1], 'until')
local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'label', ARGV[4], 'schema', ARGV[6], 'partitions', ARGV[7],
  'until', string.format('%.0f', now + ARGV[2]), 'storeId', m[3] or ARGV[3])
return {'OK', tostring(epoch), m[3] or ARGV[3], m[4] or '0', m[8] or '0', m[1] or ''}
`;

/**
 * Brings the mark of another partition to the owner's epoch. ARGV: epoch, store id, whether it must be there (`1`).
 * Answers `OK`, high · `GONE` · `OTHER`, store id · `AHEAD`, epoch: when a failover took the first partition's mark some
 * epochs back, an equal one is a former owner's.
 */
export const ADOPT = `
local m = redis.call('HMGET', KEYS[1], 'epoch', 'storeId', 'high')
if m[2] and m[2] ~= ARGV[2] then return {'OTHER', m[2]} end
if not m[2] and ARGV[3] == '1' then return {'GONE'} end
if m[1] and tonumber(m[1]) >= tonumber(ARGV[1]) then return {'AHEAD', m[1]} end
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'storeId', ARGV[2])
return {'OK', m[3] or '0'}
`;

/** Raises the epoch above another. ARGV: epoch, the other. Answers `OK`, epoch · `FENCED`, epoch, label. */
export const RAISE = `
local m = redis.call('HMGET', KEYS[1], 'epoch', 'label')
if m[1] ~= ARGV[1] then return {'FENCED', m[1] or '', m[2] or ''} end
redis.call('HDEL', KEYS[1], '')
local epoch = string.format('%.0f', math.max(tonumber(m[1]), tonumber(ARGV[2])) + 1)
redis.call('HSET', KEYS[1], 'epoch', epoch)
return {'OK', epoch}
`;

/** Lengthens the lease. ARGV: epoch, lease in ms. Answers `OK` · `FENCED`, epoch, label. */
export const RENEW = `
local m = redis.call('HMGET', KEYS[1], 'epoch', 'label')
if m[1] ~= ARGV[1] then return {'FENCED', m[1] or '', m[2] or ''} end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HDEL', KEYS[1], 'until')
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + ARGV[2]), 'complete', '1')
return {'OK'}
`;

/** Ends the ownership, and with it whatever was sent under the epoch. ARGV: epoch. Answers `OK` · `OTHER`. */
export const RELEASE = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {'OTHER'} end
redis.call('HDEL', KEYS[1], 'owner', 'label', 'until')
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
return {'OK'}
`;

/**
 * Writes records and removes others, where what is there is not newer. KEYS: mark, puts, deletes. ARGV: epoch, the highest version
 * among them, how many are puts, the records of the puts, the versions of the deletes, then of each put that expires its number
 * and in how many ms the server may drop it. Answers `OK`, the highest version acknowledged before, and the
 * numbers of those that were left alone because somebody else's text is there · `FENCED`, epoch, label.
 */
export const WRITE = `
local m = redis.call('HMGET', KEYS[1], 'epoch', 'high', 'label')
if m[1] ~= ARGV[1] then return {'FENCED', m[1] or '', m[3] or ''} end
local n = #KEYS - 1
local puts = tonumber(ARGV[3])
local answer, pairs, gone, left = {'OK', m[2] or '0'}, {}, {}, {}
if n > 0 then
  local found = redis.call('MGET', unpack(KEYS, 2))
  for i = 1, n do
    local old, new = found[i], ARGV[3 + i]
    if old and (string.byte(old, 17) ~= 32 or not tonumber(string.sub(old, 1, 16))) then
      left[i] = true
      answer[#answer + 1] = tostring(i)
    elseif i > puts then
      if old and string.sub(old, 1, 16) <= new then gone[#gone + 1] = KEYS[1 + i] end
    elseif not old or string.sub(old, 1, 16) < string.sub(new, 1, 16) then
      pairs[#pairs + 1] = KEYS[1 + i]
      pairs[#pairs + 1] = new
    else
      left[i] = true
    end
  end
end
if #gone > 0 then redis.call('UNLINK', unpack(gone)) elseif puts == 0 then redis.call('HDEL', KEYS[1], '') end
if #pairs > 0 then redis.call('MSET', unpack(pairs)) end
for a = 4 + n, #ARGV, 2 do
  local i = tonumber(ARGV[a])
  if not left[i] then redis.call('PEXPIRE', KEYS[1 + i], ARGV[a + 1]) end
end
if not m[2] or tonumber(m[2]) < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], 'high', ARGV[2]) end
return answer
`;

/** Writes without changing anything, so that a connection has a write to wait for. ARGV: epoch. Answers `OK` · `FENCED`, epoch. */
export const TOUCH = `
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= ARGV[1] then return {'FENCED', epoch or '', ''} end
redis.call('HSET', KEYS[1], 'epoch', epoch)
return {'OK'}
`;
