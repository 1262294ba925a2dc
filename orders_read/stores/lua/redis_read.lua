-- A document of the generation that the name key names: {version, text, owner, answer where there is none}; nothing while there is no such generation in the reader's form. KEYS: the name key. ARGV: form, document key, history of the log.
-- {mirror}
local generation = redis.call('GET', KEYS[1])
if not generation then return false end
local about = redis.call('HMGET', KEYS[1] .. ':' .. generation, 'form', 'empty', 'history')
if about[1] ~= ARGV[1] or about[3] ~= ARGV[3] then return false end
local held = redis.call('HMGET', KEYS[1] .. ':' .. generation .. ':' .. ARGV[2], 'v', 'd', 'u')
return {held[1], held[2], held[3], about[2]}
