package sample

import (
	"bytes"
	_ "embed"
	"io"
)

//go:embed data/signals.ndjson.gz
var signals []byte

//go:embed data/forecasts.ndjson.gz
var forecasts []byte

// File is one embedded file.
type File struct {
	Name string
	// Records is the number of lines.
	Records int

	compressed []byte
}

// Files lists the embedded files in the order to play them.
func Files() []File {
	return []File{
		{Name: "signals.ndjson.gz", Records: 73_745, compressed: signals},
		{Name: "forecasts.ndjson.gz", Records: 2_959, compressed: forecasts},
	}
}

// Open returns the file's content as it is stored: NDJSON, gzip-compressed.
func (f File) Open() io.Reader { return bytes.NewReader(f.compressed) }

// Size is the number of stored bytes.
func (f File) Size() int64 { return int64(len(f.compressed)) }
