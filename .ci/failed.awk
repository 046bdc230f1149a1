# Prints what the failed tests of a `go test -v` log have said, a test after the other, the end of each alone:
# tests that run side by side write between each other's lines, and a log's end may be all that is kept of it.
# Of a message with many lines, a broker's log for one, it prints the first three and the last five.
function flush(    i, from) {
  from = rows > 8 ? rows - 4 : 4
  for (i = 1; i <= rows && i <= 3; i++) add(row[i])
  if (rows > 8) add("        … " rows - 8 " lines more")
  for (i = from; i <= rows; i++) add(row[i])
  rows = 0
}
function add(text) { if (owner != "") { lines[owner]++; said[owner, lines[owner]] = text } }
function become(who) { flush(); owner = name = who }
/^=== (RUN|CONT|NAME)/ { become($3); next }
/^=== PAUSE/ { next }
/^ *--- FAIL: / { sub(/^ *--- FAIL: /, ""); become($1); failed[++count] = $1; took[$1] = $2; next }
/^ *--- (PASS|SKIP): / { become($3); delete lines[$3]; next }
/^(ok|FAIL|PASS)/ { become(""); next }
# A message begins, or what no message is: a panic, a race.
/^ *[A-Za-z0-9_]+\.go:[0-9]+: / || /^(panic|fatal error|WARNING: DATA RACE)/ { flush() }
{ row[++rows] = $0 }
END {
  flush()
  for (i = 1; i <= count; i++) {
    name = failed[i]
    printf "--- FAIL: %s %s\n", name, took[name]
    from = lines[name] > most ? lines[name] - most + 1 : 1
    for (line = from; line <= lines[name]; line++) print said[name, line]
  }
}
