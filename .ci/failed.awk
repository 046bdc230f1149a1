# Prints what the failed tests of a `go test -v` log have said, a test after the other, the end of each alone:
# tests that run side by side write between each other's lines, and a log's end may be all that is kept of it.
/^=== (RUN|CONT|NAME)/ { name = $3; next }
/^=== PAUSE/ { next }
/^ *--- FAIL: / { sub(/^ *--- FAIL: /, ""); failed[++count] = $1; took[$1] = $2; name = $1; next }
/^ *--- (PASS|SKIP): / { delete lines[$3]; name = $3; next }
/^(ok|FAIL|PASS)/ { name = ""; next }
name != "" { lines[name]++; said[name, lines[name]] = $0 }
END {
  for (i = 1; i <= count; i++) {
    name = failed[i]
    printf "--- FAIL: %s %s\n", name, took[name]
    from = lines[name] > most ? lines[name] - most + 1 : 1
    for (line = from; line <= lines[name]; line++) print said[name, line]
  }
}
