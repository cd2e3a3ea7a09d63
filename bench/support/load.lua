-- Load of the benchmarks: sends what a file lists, one per line and in turn, and says what came of
-- it as one line of JSON. Arguments: path, value of Authorization ("-" for none), file ("-" for a
-- GET of the path), and what its lines are: `bodies` of forms to POST, or `paths` to GET. Answers
-- are not looked into, which would make the load slower than the server: whoever starts this looks
-- at one before and at one after.

local requests, at = {}, 0

function init(args)
  wrk.path = args[1]
  if args[2] ~= '-' then
    wrk.headers['Authorization'] = args[2]
  end
  if args[3] == '-' then
    requests[1] = wrk.format('GET')
    return
  end
  local forms = args[4] == 'bodies'
  if forms then
    wrk.headers['Content-Type'] = 'application/x-www-form-urlencoded'
  end
  for line in io.lines(args[3]) do
    requests[#requests + 1] = forms and wrk.format('POST', nil, nil, line) or wrk.format('GET', line)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"answers":%d,"refused":%d,"broken":%d,"seconds":%.6f,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50), latency:percentile(99)))
end
