-- Writes a document whole, or a tombstone where there is no text, unless what is there is as new; says whether it did. KEYS: document, generation. ARGV: form, version, version that may be overwritten, text, owner.
-- {mirror}
if redis.call('HGET', KEYS[2], 'form') ~= ARGV[1] then return redis.error_reply('LOST there is no such generation') end
local held = redis.pcall('HGET', KEYS[1], 'v')
if type(held) == 'string' and held ~= ARGV[3] and (tonumber(held) or -1) >= tonumber(ARGV[2]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'v', ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'd', ARGV[4]) end
if ARGV[4] ~= '' and ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'u', ARGV[5]) end
return 1
