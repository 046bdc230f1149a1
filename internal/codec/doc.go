// Package codec turns bytes into signals and scores into bytes.
//
// # Guarantee
//
// Decode accepts exactly the records the schema pulse.signal/1 describes
// (package schemas) and names what is wrong with every other one: never a
// guess, never a panic, never a value that was not sent. It agrees with an
// independent strict JSON reader on every input (FuzzDecode). AppendResult
// writes valid JSON with finite numbers whatever it is given (FuzzResult), and
// each number as the text package strconv has for it (FuzzAppendNumber).
//
// # Decisions
//
// One decoder, written by hand. Reflection costs a microsecond a record, and
// the fast third-party decoders each accept something that is not JSON (NaN,
// 01, control characters, the first of repeated keys). The record is scanned
// once: everything is validated as RFC 8259 asks, and the spans of the known
// members are remembered. Only then are they interpreted, so that the last of
// repeated keys alone decides, whatever the others held.
//
// Which is not JSON (malformed_json): invalid UTF-8 anywhere, a lone surrogate
// escape, a byte order mark, NaN, trailing bytes, an empty or null value, and
// nesting deeper than 128 levels. JSON that is not an object is invalid_field
// of the record as a whole. A number too small for float64 is zero; one too
// large is invalid_field in every member that is read, and ignored elsewhere.
//
// Choices the contract leaves open:
//   - "timestamp": null means absent, as it did for the old system. No other
//     member may be null.
//   - An empty id is invalid_field: it would make all its senders' records
//     duplicates of each other. An empty source is a source like any other,
//     and not the default.
//   - "context" belongs to forecasts; in a raw signal it is an unknown member.
//   - Timestamps as text need seconds, may have a space for the T, and may lack
//     a zone (UTC). Leap seconds (":60") are refused. Digits beyond
//     microseconds are cut off. Epoch numbers are read as decimals, never as
//     floats, and rounded to the nearest microsecond, halves away from zero, so
//     that 1763922333.123 and the 1763922333.1229999 that some printers make of
//     it are the same instant. The range is 0001-01-01 to 9999-12-31 in UTC.
//   - A record without a Kafka timestamp is invalid_field "record timestamp",
//     also if it carries a timestamp of its own: results and expiry need it.
//
// CloudEvents 1.0 are recognised by content-type (structured), by
// ce_specversion (binary), or, where neither header is there, by a member
// specversion. Headers of other kinds say nothing about the format, so that a
// record that went through the dead-letter topic decodes as it did at first.
// An event's id and source stand for those of its data, which are not looked
// at then; its time counts where the data has no timestamp.
//
// Strings of a signal alias the record or memory of the decoder that is never
// written again. Strings in Record and Context share nothing with the record.
package codec
