-- Lets readers see a generation that is there. KEYS: the name key, generation. ARGV: form, generation's number.
if redis.call('HGET', KEYS[2], 'form') ~= ARGV[1] then return redis.error_reply('LOST there is no such generation') end
redis.call('SET', KEYS[1], ARGV[2])
return 1
