# Prints what the failed tests of a `go test -v` log have said, a test after the other, the end of each alone:
# tests that run side by side write between each other's lines, and a log's end may be all that is kept of it.
# Of a message with many lines, a broker's log for one, it prints the first: what was wrong stands in another message.
/^=== (RUN|CONT|NAME)/ { name = $3; next }
/^=== PAUSE/ { next }
/^ *--- FAIL: / { sub(/^ *--- FAIL: /, ""); failed[++count] = $1; took[$1] = $2; name = $1; next }
/^ *--- (PASS|SKIP): / { delete lines[$3]; name = $3; next }
/^(ok|FAIL|PASS)/ { name = ""; next }
/^ *[A-Za-z0-9_]+\.go:[0-9]+: / { message = 0 }
name != "" && ++message <= 6 { lines[name]++; said[name, lines[name]] = $0 }
END {
  for (i = 1; i <= count; i++) {
    name = failed[i]
    printf "--- FAIL: %s %s\n", name, took[name]
    from = lines[name] > most ? lines[name] - most + 1 : 1
    for (line = from; line <= lines[name]; line++) print said[name, line]
  }
}
