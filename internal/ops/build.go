package ops

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Build says what this binary is.
type Build struct {
	Version string `json:"version"`
	// Revision is the commit, with "+dirty" when there were changes beside
	// it; "unknown" when the build did not know.
	Revision string `json:"revision"`
	// Time is the time of the commit, RFC 3339; empty when unknown.
	Time string `json:"time,omitempty"`
	Go   string `json:"go"`
	// Platform is the operating system and processor.
	Platform string `json:"platform"`
}

// String is the build in one line.
func (b Build) String() string {
	return fmt.Sprintf("pulse-scorer %s (revision %s, %s, %s)", b.Version, b.Revision, b.Go, b.Platform)
}

// ReadBuild describes the running binary. linked is the version set with
// -ldflags -X; without one the module's own is taken.
func ReadBuild(linked string) Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return describe(linked, info)
}

func describe(linked string, info *debug.BuildInfo) Build {
	build := Build{
		Version:  linked,
		Revision: "unknown",
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if build.Version == "" {
		build.Version = info.Main.Version
	}
	if build.Version == "" || build.Version == "(devel)" {
		build.Version = "devel"
	}
	dirty := false
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			build.Revision = setting.Value
		case "vcs.time":
			build.Time = setting.Value
		case "vcs.modified":
			dirty = setting.Value == "true"
		}
	}
	if dirty {
		build.Revision += "+dirty"
	}
	return build
}
