package cli

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress is a bar that clears itself, invisible when nobody watches; a size
// of -1 is unknown. The bar's own goroutine, which would turn a spinner, is off:
// it races with whoever uses the bar, and would go on drawing over what comes
// after (progressbar 3.19.1).
func progress(out io.Writer, size int64, options ...progressbar.Option) *progressbar.ProgressBar {
	file, ok := out.(*os.File)
	watched := ok && term.IsTerminal(int(file.Fd()))
	return progressbar.NewOptions64(size, append([]progressbar.Option{
		progressbar.OptionSetWriter(out), progressbar.OptionSetVisibility(watched),
		progressbar.OptionThrottle(100 * time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetSpinnerChangeInterval(0),
	}, options...)...)
}
