-- Leaves a token on the bell (KEYS[1]) and answers 1 when no drain job stands (running: KEYS[2], queued: KEYS[3]).
redis.call('LPUSH', KEYS[1], '1')
redis.call('LTRIM', KEYS[1], 0, 0)
if redis.call('LLEN', KEYS[3]) > 0 then
    return 0
end
return redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[1]) and 1 or 0
